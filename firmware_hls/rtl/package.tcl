# Makes the CMAC port kernel of one QSFP port: generates AMD's 100G Ethernet IP and packages it with our RTL as an .xo.
#
#   vivado -mode batch -source package.tcl -tclargs <out.xo> <kernel name> <part> <CMAC site> <GT quad> <refclk MHz> <free-running MHz>
#
# Needs Vivado and the (free) licence of cmac_usplus. Not run here: no Vivado was at hand.
if {[llength $argv] != 7} {
  puts stderr "package.tcl: 7 arguments are needed, [llength $argv] were given: <out.xo> <kernel> <part> <CMAC site> <GT quad> <refclk MHz> <free-running MHz>"
  exit 1
}
lassign $argv out kernel part site quad refclk freerun
set here [file dirname [file normalize [info script]]]
set work [file rootname [file normalize $out]].project

# 1. Sources; the top takes the kernel's name.
file delete -force $work
create_project -part $part $kernel $work
foreach file [glob $here/*.sv] { add_files -norecurse $file }
set top [open $work/$kernel.sv w]
set in [open $here/cmac_port.sv r]
puts $top [string map [list "module cmac_port (" "module $kernel ("] [read $in]]
close $in
close $top
remove_files $here/cmac_port.sv
add_files -norecurse $work/$kernel.sv
set_property top $kernel [current_fileset]

# 2. The IP: CAUI-4, AXI-Stream, RS-FEC, control by pins.
create_ip -name cmac_usplus -vendor xilinx.com -library ip -module_name cmac_usplus_port
set_property -dict [list \
  CONFIG.CMAC_CAUI4_MODE 1 CONFIG.NUM_LANES 4x25 CONFIG.GT_REF_CLK_FREQ $refclk CONFIG.GT_DRP_CLK $freerun \
  CONFIG.CMAC_CORE_SELECT $site CONFIG.GT_GROUP_SELECT $quad CONFIG.USER_INTERFACE AXIS CONFIG.OPERATING_MODE Duplex \
  CONFIG.TX_FLOW_CONTROL 0 CONFIG.RX_FLOW_CONTROL 0 CONFIG.ENABLE_AXI_INTERFACE 0 CONFIG.INCLUDE_STATISTICS_COUNTERS 0 \
  CONFIG.INCLUDE_RS_FEC 1 CONFIG.INCLUDE_SHARED_LOGIC 2 CONFIG.RX_MAX_PACKET_LEN 9728 CONFIG.RX_MIN_PACKET_LEN 64] [get_ips cmac_usplus_port]
generate_target all [get_ips cmac_usplus_port]

# 3. Crossings between the CMAC's clocks and ours go through registers marked ASYNC_REG, Gray code or a held value.
set constraints [open $work/crossings.xdc w]
puts $constraints {set_false_path -to [get_cells -hierarchical -regexp {.*(seen0|sys_reset0|on0|aligned_tx0|fec_tx0|fec_rx0|aligned_ap0|path_seen0)_reg.*}]}
puts $constraints {set_max_delay -datapath_only 3.0 -from [get_cells -hierarchical -regexp {.*/held_reg.*}] -to [get_cells -hierarchical -regexp {.*/m_value_reg.*}]}
close $constraints
add_files -fileset constrs_1 -norecurse $work/crossings.xdc
update_compile_order -fileset sources_1

# 4. As a kernel.
ipx::package_project -root_dir $work/packaged -vendor linecrypt -library kernel -taxonomy /KernelIP -import_files -set_current true
set core [ipx::current_core]
set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
ipx::associate_bus_interfaces -busif s_axis -clock ap_clk $core
ipx::associate_bus_interfaces -busif m_axis -clock ap_clk $core
ipx::associate_bus_interfaces -busif s_link -clock ap_clk $core
ipx::associate_bus_interfaces -busif s_axi_control -clock ap_clk $core
proc bundle {core name type mode maps} {
  set bus [ipx::add_bus_interface $name $core]
  set_property interface_mode $mode $bus
  set_property abstraction_type_vlnv xilinx.com:interface:${type}_rtl:1.0 $bus
  set_property bus_type_vlnv xilinx.com:interface:$type:1.0 $bus
  foreach {logical physical} $maps {
    set_property physical_name $physical [ipx::add_port_map $logical $bus]
  }
}
bundle $core gt_serial_port gt master {GRX_P gt_rxp_in GRX_N gt_rxn_in GTX_P gt_txp_out GTX_N gt_txn_out}
bundle $core gt_refclk diff_clock slave {CLK_P gt_refclk_p CLK_N gt_refclk_n}
set_property supported_families {} $core
set_property auto_family_support_level level_2 $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::save_core $core

# 5. As an .xo: no registers that a host call would set, so control protocol ap_ctrl_none.
file delete -force $out
package_xo -xo_path $out -kernel_name $kernel -ip_directory $work/packaged -ctrl_protocol ap_ctrl_none

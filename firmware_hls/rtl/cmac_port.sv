// cmac_port: a QSFP port as a Vitis kernel: AMD's 100G Ethernet IP (cmac_usplus, made by package.tcl) with port_path and
// port_registers around it. ap_ctrl_none; the kernel's name is set when it is packaged.
module cmac_port (
    input  wire         ap_clk,
    input  wire         ap_rst_n,
    input  wire         clk_gt_freerun,
    input  wire         gt_refclk_p,
    input  wire         gt_refclk_n,
    input  wire [3:0]   gt_rxp_in,
    input  wire [3:0]   gt_rxn_in,
    output wire [3:0]   gt_txp_out,
    output wire [3:0]   gt_txn_out,
    output wire         m_axis_tvalid,
    input  wire         m_axis_tready,
    output wire [511:0] m_axis_tdata,
    output wire [63:0]  m_axis_tkeep,
    output wire         m_axis_tlast,
    input  wire         s_axis_tvalid,
    output wire         s_axis_tready,
    input  wire [511:0] s_axis_tdata,
    input  wire [63:0]  s_axis_tkeep,
    input  wire         s_axis_tlast,
    input  wire         s_link_tvalid,
    output wire         s_link_tready,
    input  wire [7:0]   s_link_tdata,
    input  wire         s_axi_control_awvalid,
    output wire         s_axi_control_awready,
    input  wire [11:0]  s_axi_control_awaddr,
    input  wire         s_axi_control_wvalid,
    output wire         s_axi_control_wready,
    input  wire [31:0]  s_axi_control_wdata,
    input  wire [3:0]   s_axi_control_wstrb,
    output wire         s_axi_control_bvalid,
    input  wire         s_axi_control_bready,
    output wire [1:0]   s_axi_control_bresp,
    input  wire         s_axi_control_arvalid,
    output wire         s_axi_control_arready,
    input  wire [11:0]  s_axi_control_araddr,
    output wire         s_axi_control_rvalid,
    input  wire         s_axi_control_rready,
    output wire [31:0]  s_axi_control_rdata,
    output wire [1:0]   s_axi_control_rresp
);
  logic ap_rst;
  always_ff @(posedge ap_clk) ap_rst <= !ap_rst_n;
  // sys_reset belongs to the free-running clock.
  (* ASYNC_REG = "TRUE" *) logic sys_reset0, sys_reset;
  always_ff @(posedge clk_gt_freerun) {sys_reset, sys_reset0} <= {sys_reset0, ap_rst};

  wire tx_clk, rx_clk, tx_rst, rx_rst;
  wire rx_tvalid, rx_tlast, rx_tuser, tx_tvalid, tx_tready, tx_tlast, aligned, transmitter_on, rs_fec;
  wire [511:0] rx_tdata, tx_tdata;
  wire [63:0] rx_tkeep, tx_tkeep;
  wire [191:0] counters;

  // The control kernel's wire: bit 0 of its newest word. The transmitter is on while it is high, or the register says so.
  logic link_up, transmit_on;
  assign s_link_tready = 1'b1;
  wire unused_link = &{1'b0, s_link_tdata[7:1]};
  always_ff @(posedge ap_clk) begin
    if (ap_rst) link_up <= 1'b0;
    else if (s_link_tvalid) link_up <= s_link_tdata[0];
    transmit_on <= !ap_rst && (link_up || transmitter_on);
  end

  // Switches into the CMAC's clocks; its answer into ours.
  (* ASYNC_REG = "TRUE" *) logic on0, on, aligned_tx0, aligned_tx, fec_tx0, fec_tx, fec_rx0, fec_rx, aligned_ap0, aligned_ap;
  always_ff @(posedge tx_clk) {on, on0, aligned_tx, aligned_tx0, fec_tx, fec_tx0} <= {on0, transmit_on, aligned_tx0, aligned, fec_tx0, rs_fec};
  always_ff @(posedge rx_clk) {fec_rx, fec_rx0} <= {fec_rx0, rs_fec};
  always_ff @(posedge ap_clk) {aligned_ap, aligned_ap0} <= {aligned_ap0, aligned};

  // Until our receiver is aligned we tell the peer so (remote fault), as IEEE 802.3 81.3.4 has it. Off: local faults keep the peer's link down.
  cmac_usplus_port cmac (
      .gt_ref_clk_p(gt_refclk_p), .gt_ref_clk_n(gt_refclk_n), .init_clk(clk_gt_freerun), .sys_reset(sys_reset),
      .gt_rxp_in(gt_rxp_in), .gt_rxn_in(gt_rxn_in), .gt_txp_out(gt_txp_out), .gt_txn_out(gt_txn_out),
      .gt_txusrclk2(tx_clk), .gt_rxusrclk2(rx_clk), .rx_clk(rx_clk), .usr_tx_reset(tx_rst), .usr_rx_reset(rx_rst),
      .gt_loopback_in(12'h0), .gtwiz_reset_tx_datapath(1'b0), .gtwiz_reset_rx_datapath(1'b0), .core_rx_reset(1'b0), .core_tx_reset(1'b0),
      .core_drp_reset(1'b0), .drp_clk(1'b0), .drp_addr(10'h0), .drp_di(16'h0), .drp_en(1'b0), .drp_we(1'b0),
      .rx_axis_tvalid(rx_tvalid), .rx_axis_tdata(rx_tdata), .rx_axis_tkeep(rx_tkeep), .rx_axis_tlast(rx_tlast), .rx_axis_tuser(rx_tuser),
      .tx_axis_tready(tx_tready), .tx_axis_tvalid(tx_tvalid), .tx_axis_tdata(tx_tdata), .tx_axis_tkeep(tx_tkeep), .tx_axis_tlast(tx_tlast),
      .tx_axis_tuser(1'b0), .tx_preamblein(56'h0),
      .ctl_rx_enable(1'b1), .ctl_rx_force_resync(1'b0), .ctl_rx_test_pattern(1'b0),
      .ctl_tx_enable(on && aligned_tx), .ctl_tx_send_rfi(on && !aligned_tx), .ctl_tx_send_lfi(!on), .ctl_tx_send_idle(1'b0), .ctl_tx_test_pattern(1'b0),
      .ctl_tx_rsfec_enable(fec_tx), .ctl_rx_rsfec_enable(fec_rx), .ctl_rx_rsfec_enable_correction(fec_rx),
      .ctl_rx_rsfec_enable_indication(fec_rx), .ctl_rsfec_ieee_error_indication_mode(1'b0),
      .stat_rx_aligned(aligned));

  port_path path (
      .ap_clk(ap_clk), .ap_rst(ap_rst),
      .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tdata(m_axis_tdata), .m_axis_tkeep(m_axis_tkeep), .m_axis_tlast(m_axis_tlast),
      .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready), .s_axis_tdata(s_axis_tdata), .s_axis_tkeep(s_axis_tkeep), .s_axis_tlast(s_axis_tlast),
      .counters(counters),
      .rx_clk(rx_clk), .rx_rst(rx_rst), .rx_tvalid(rx_tvalid), .rx_tdata(rx_tdata), .rx_tkeep(rx_tkeep), .rx_tlast(rx_tlast), .rx_tuser(rx_tuser),
      .tx_clk(tx_clk), .tx_rst(tx_rst), .tx_closed(!(on && aligned_tx)), .tx_tvalid(tx_tvalid), .tx_tready(tx_tready), .tx_tdata(tx_tdata), .tx_tkeep(tx_tkeep), .tx_tlast(tx_tlast));

  port_registers registers (
      .clk(ap_clk), .rst(ap_rst),
      .s_axi_awvalid(s_axi_control_awvalid), .s_axi_awready(s_axi_control_awready), .s_axi_awaddr(s_axi_control_awaddr),
      .s_axi_wvalid(s_axi_control_wvalid), .s_axi_wready(s_axi_control_wready), .s_axi_wdata(s_axi_control_wdata), .s_axi_wstrb(s_axi_control_wstrb),
      .s_axi_bvalid(s_axi_control_bvalid), .s_axi_bready(s_axi_control_bready), .s_axi_bresp(s_axi_control_bresp),
      .s_axi_arvalid(s_axi_control_arvalid), .s_axi_arready(s_axi_control_arready), .s_axi_araddr(s_axi_control_araddr),
      .s_axi_rvalid(s_axi_control_rvalid), .s_axi_rready(s_axi_control_rready), .s_axi_rdata(s_axi_control_rdata), .s_axi_rresp(s_axi_control_rresp),
      .counters(counters), .aligned(aligned_ap), .transmitter_on(transmitter_on), .rs_fec(rs_fec));
endmodule

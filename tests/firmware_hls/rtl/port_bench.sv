// What the bench drives: the paths with small FIFOs, so that they fill often, and the registers.
module port_bench (
    input  wire ap_clk, input wire ap_rst,
    output wire m_tvalid, input wire m_tready, output wire [511:0] m_tdata, output wire [63:0] m_tkeep, output wire m_tlast,
    input  wire s_tvalid, output wire s_tready, input wire [511:0] s_tdata, input wire [63:0] s_tkeep, input wire s_tlast,
    input  wire cmac_clk, input wire rx_rst, input wire rx_tvalid, input wire [511:0] rx_tdata, input wire [63:0] rx_tkeep, input wire rx_tlast,
    input  wire rx_tuser, input wire tx_rst,
    output wire tx_tvalid, input wire tx_tready, output wire [511:0] tx_tdata, output wire [63:0] tx_tkeep, output wire tx_tlast,
    input  wire awvalid, output wire awready, input wire [11:0] awaddr, input wire wvalid, output wire wready, input wire [31:0] wdata,
    output wire bvalid, input wire arvalid, output wire arready, input wire [11:0] araddr, output wire rvalid, output wire [31:0] rdata,
    output wire transmitter_on, output wire rs_fec
);
  wire [191:0] counters;
  port_path #(.RX_DEPTH(64), .TX_DEPTH(64)) path (
      .ap_clk(ap_clk), .ap_rst(ap_rst), .m_axis_tvalid(m_tvalid), .m_axis_tready(m_tready), .m_axis_tdata(m_tdata), .m_axis_tkeep(m_tkeep),
      .m_axis_tlast(m_tlast), .s_axis_tvalid(s_tvalid), .s_axis_tready(s_tready), .s_axis_tdata(s_tdata), .s_axis_tkeep(s_tkeep), .s_axis_tlast(s_tlast),
      .counters(counters), .rx_clk(cmac_clk), .rx_rst(rx_rst), .rx_tvalid(rx_tvalid), .rx_tdata(rx_tdata), .rx_tkeep(rx_tkeep), .rx_tlast(rx_tlast),
      .rx_tuser(rx_tuser), .tx_clk(cmac_clk), .tx_rst(tx_rst), .tx_closed(1'b0), .tx_tvalid(tx_tvalid), .tx_tready(tx_tready), .tx_tdata(tx_tdata), .tx_tkeep(tx_tkeep), .tx_tlast(tx_tlast));
  /* verilator lint_off PINCONNECTEMPTY */
  port_registers registers (
      .clk(ap_clk), .rst(ap_rst), .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_awaddr(awaddr), .s_axi_wvalid(wvalid), .s_axi_wready(wready),
      .s_axi_wdata(wdata), .s_axi_wstrb(4'hf), .s_axi_bvalid(bvalid), .s_axi_bready(1'b1), .s_axi_bresp(), .s_axi_arvalid(arvalid), .s_axi_arready(arready),
      .s_axi_araddr(araddr), .s_axi_rvalid(rvalid), .s_axi_rready(1'b1), .s_axi_rdata(rdata), .s_axi_rresp(), .counters(counters), .aligned(1'b1),
      .transmitter_on(transmitter_on), .rs_fec(rs_fec));
  /* verilator lint_on PINCONNECTEMPTY */
endmodule

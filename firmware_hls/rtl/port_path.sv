// port_path: everything of a port but the CMAC: receive and transmit paths between its clocks and the kernels' clock.
//
//   CMAC receive -> packet_fifo (drops whole frames) -> clock_fifo -> m_axis
//   s_axis -> pad -> clock_fifo -> packet_fifo (no gap inside a frame) -> tx_gate -> CMAC transmit
module port_path #(
    parameter int RX_DEPTH = 1024,  // 64 KiB
    parameter int TX_DEPTH = 512    // 32 KiB
) (
    input  wire         ap_clk,
    input  wire         ap_rst,
    // From and to kernels.
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
    // Counters, in ap_clk: frames received, dropped for want of room, dropped as bad, sent, dropped as too long, dropped
    // because the transmitter was closed.
    output wire [191:0] counters,
    // CMAC.
    input  wire         rx_clk,
    input  wire         rx_rst,
    input  wire         rx_tvalid,
    input  wire [511:0] rx_tdata,
    input  wire [63:0]  rx_tkeep,
    input  wire         rx_tlast,
    input  wire         rx_tuser,
    input  wire         tx_clk,
    input  wire         tx_rst,
    input  wire         tx_closed,
    output wire         tx_tvalid,
    input  wire         tx_tready,
    output wire [511:0] tx_tdata,
    output wire [63:0]  tx_tkeep,
    output wire         tx_tlast
);
  // 0. Only ap_rst empties the FIFOs. A reset of the CMAC (the link went) drops what has not ended and nothing else, so a kernel
  //    never sees half a frame.
  (* ASYNC_REG = "TRUE" *) logic rx_path_seen0, rx_path_rst, tx_path_seen0, tx_path_rst;
  always_ff @(posedge rx_clk) {rx_path_rst, rx_path_seen0} <= {rx_path_seen0, ap_rst};
  always_ff @(posedge tx_clk) {tx_path_rst, tx_path_seen0} <= {tx_path_seen0, ap_rst};

  // 1. Receive.
  wire rx_whole_tvalid, rx_whole_tready, rx_whole_tlast;
  wire [511:0] rx_whole_tdata;
  wire [63:0] rx_whole_tkeep;
  wire [31:0] rx_frames, rx_dropped_full, rx_dropped_bad;
  packet_fifo #(.DEPTH(RX_DEPTH), .DROP_WHEN_FULL(1'b1)) rx_packets (
      .clk(rx_clk), .rst(rx_path_rst),
      .s_tvalid(rx_tvalid), /* verilator lint_off PINCONNECTEMPTY */ .s_tready() /* verilator lint_on PINCONNECTEMPTY */,
      .s_tdata(rx_tdata), .s_tkeep(rx_tkeep), .s_tlast(rx_tlast), .s_tbad(rx_tuser), .s_abort(rx_rst),
      .m_tvalid(rx_whole_tvalid), .m_tready(rx_whole_tready), .m_tdata(rx_whole_tdata), .m_tkeep(rx_whole_tkeep), .m_tlast(rx_whole_tlast),
      .accepted(rx_frames), .dropped_full(rx_dropped_full), .dropped_bad(rx_dropped_bad));
  clock_fifo rx_cross (
      .s_clk(rx_clk), .s_rst(rx_path_rst), .s_tvalid(rx_whole_tvalid), .s_tready(rx_whole_tready), .s_tdata(rx_whole_tdata),
      .s_tkeep(rx_whole_tkeep), .s_tlast(rx_whole_tlast),
      .m_clk(ap_clk), .m_rst(ap_rst), .m_tvalid(m_axis_tvalid), .m_tready(m_axis_tready), .m_tdata(m_axis_tdata),
      .m_tkeep(m_axis_tkeep), .m_tlast(m_axis_tlast));

  // 2. Transmit.
  wire padded_tvalid, padded_tready, padded_tlast, crossed_tvalid, crossed_tready, crossed_tlast;
  wire [511:0] padded_tdata, crossed_tdata;
  wire [63:0] padded_tkeep, crossed_tkeep;
  wire [31:0] tx_frames, tx_dropped, tx_dropped_closed;
  wire whole_tvalid, whole_tready;
  pad tx_pad (
      .clk(ap_clk), .rst(ap_rst), .s_tvalid(s_axis_tvalid), .s_tready(s_axis_tready), .s_tdata(s_axis_tdata), .s_tkeep(s_axis_tkeep),
      .s_tlast(s_axis_tlast), .m_tvalid(padded_tvalid), .m_tready(padded_tready), .m_tdata(padded_tdata), .m_tkeep(padded_tkeep),
      .m_tlast(padded_tlast));
  clock_fifo tx_cross (
      .s_clk(ap_clk), .s_rst(ap_rst), .s_tvalid(padded_tvalid), .s_tready(padded_tready), .s_tdata(padded_tdata), .s_tkeep(padded_tkeep),
      .s_tlast(padded_tlast),
      .m_clk(tx_clk), .m_rst(tx_path_rst), .m_tvalid(crossed_tvalid), .m_tready(crossed_tready), .m_tdata(crossed_tdata),
      .m_tkeep(crossed_tkeep), .m_tlast(crossed_tlast));
  packet_fifo #(.DEPTH(TX_DEPTH), .DROP_WHEN_FULL(1'b0)) tx_packets (
      .clk(tx_clk), .rst(tx_path_rst), .s_tvalid(crossed_tvalid), .s_tready(crossed_tready), .s_tdata(crossed_tdata), .s_tkeep(crossed_tkeep),
      .s_tlast(crossed_tlast), .s_tbad(1'b0), .s_abort(1'b0),
      .m_tvalid(whole_tvalid), .m_tready(whole_tready), .m_tdata(tx_tdata), .m_tkeep(tx_tkeep), .m_tlast(tx_tlast),
      .accepted(tx_frames), .dropped_full(tx_dropped),
      /* verilator lint_off PINCONNECTEMPTY */ .dropped_bad() /* verilator lint_on PINCONNECTEMPTY */);
  tx_gate gate (
      .clk(tx_clk), .rst(tx_path_rst), .closed(tx_closed || tx_rst), .s_tvalid(whole_tvalid), .s_tready(whole_tready), .s_tlast(tx_tlast),
      .m_tvalid(tx_tvalid), .m_tready(tx_tready), .dropped(tx_dropped_closed));

  // 3. Counters into the kernels' clock.
  snapshot #(.WIDTH(96)) rx_counters (
      .s_clk(rx_clk), .s_rst(rx_path_rst), .s_value({rx_dropped_bad, rx_dropped_full, rx_frames}), .m_clk(ap_clk), .m_rst(ap_rst),
      .m_value(counters[95:0]));
  snapshot #(.WIDTH(96)) tx_counters (
      .s_clk(tx_clk), .s_rst(tx_path_rst), .s_value({tx_dropped_closed, tx_dropped, tx_frames}), .m_clk(ap_clk), .m_rst(ap_rst), .m_value(counters[191:96]));
endmodule

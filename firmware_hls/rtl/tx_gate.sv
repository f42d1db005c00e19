// tx_gate: between the transmit FIFO and the CMAC. While the gate is closed (link down, transmitter off, CMAC in reset) frames are
// thrown away and counted, so nothing waits for the link and goes out stale. It opens and closes so that the CMAC never begins in
// the middle of a frame: when it closes inside one, the rest of that frame is thrown away as well.
module tx_gate (
    input  wire         clk,
    input  wire         rst,
    input  wire         closed,
    input  wire         s_tvalid,
    output wire         s_tready,
    input  wire         s_tlast,
    output wire         m_tvalid,
    input  wire         m_tready,
    output logic [31:0] dropped
);
  logic begun;     // a frame has begun
  logic discarding; // and its rest is thrown away
  wire discard = discarding || closed;
  assign m_tvalid = s_tvalid && !discard;
  assign s_tready = discard || m_tready;

  always_ff @(posedge clk) begin
    if (rst) begin
      begun <= 1'b0;
      discarding <= 1'b0;
      dropped <= '0;
    end else begin
      if (s_tvalid && s_tready) begin
        begun <= !s_tlast;
        discarding <= discard && !s_tlast;
        if (discard && s_tlast) dropped <= dropped + 1;
      end else if (begun && closed) discarding <= 1'b1;
    end
  end
endmodule

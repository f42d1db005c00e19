// port_registers: AXI4-Lite. 0x10 control (bit 0 transmitter on, bit 1 RS-FEC), 0x14 status (bit 0 receiver aligned), read only from here:
// 0x20 frames received, 0x24 dropped for want of room, 0x28 dropped as bad, 0x2c frames given to the
// transmitter, 0x30 dropped as too long, 0x34 dropped because the transmitter was off or the link down.
// After reset the transmitter is off: a port is silent until the host says otherwise.
module port_registers (
    input  wire         clk,
    input  wire         rst,
    input  wire         s_axi_awvalid,
    output wire         s_axi_awready,
    input  wire [11:0]  s_axi_awaddr,
    input  wire         s_axi_wvalid,
    output wire         s_axi_wready,
    input  wire [31:0]  s_axi_wdata,
    input  wire [3:0]   s_axi_wstrb,
    output logic        s_axi_bvalid,
    input  wire         s_axi_bready,
    output wire [1:0]   s_axi_bresp,
    input  wire         s_axi_arvalid,
    output wire         s_axi_arready,
    input  wire [11:0]  s_axi_araddr,
    output logic        s_axi_rvalid,
    input  wire         s_axi_rready,
    output logic [31:0] s_axi_rdata,
    output wire [1:0]   s_axi_rresp,
    input  wire [191:0] counters,
    input  wire         aligned,
    output logic        transmitter_on,
    output logic        rs_fec
);
  assign s_axi_bresp = 2'b00;
  assign s_axi_rresp = 2'b00;
  // Address and data are taken together.
  wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  assign s_axi_awready = write;
  assign s_axi_wready = write;
  assign s_axi_arready = !s_axi_rvalid;

  always_ff @(posedge clk) begin
    if (rst) begin
      s_axi_bvalid <= 1'b0;
      transmitter_on <= 1'b0;
      rs_fec <= 1'b1;
    end else begin
      if (write) begin
        s_axi_bvalid <= 1'b1;
        if (s_axi_awaddr == 12'h010 && s_axi_wstrb[0]) {rs_fec, transmitter_on} <= s_axi_wdata[1:0];
      end else if (s_axi_bready) s_axi_bvalid <= 1'b0;
    end
  end
  wire unused = &{1'b0, s_axi_wdata[31:2], s_axi_wstrb[3:1]};

  always_ff @(posedge clk) begin
    if (rst) begin
      s_axi_rvalid <= 1'b0;
      s_axi_rdata <= '0;
    end else if (s_axi_arvalid && s_axi_arready) begin
      s_axi_rvalid <= 1'b1;
      case (s_axi_araddr)
        12'h010: s_axi_rdata <= {30'h0, rs_fec, transmitter_on};
        12'h014: s_axi_rdata <= {31'h0, aligned};
        12'h020: s_axi_rdata <= counters[31:0];
        12'h024: s_axi_rdata <= counters[63:32];
        12'h028: s_axi_rdata <= counters[95:64];
        12'h02c: s_axi_rdata <= counters[127:96];
        12'h030: s_axi_rdata <= counters[159:128];
        12'h034: s_axi_rdata <= counters[191:160];
        default: s_axi_rdata <= '0;
      endcase
    end else if (s_axi_rready) s_axi_rvalid <= 1'b0;
  end
endmodule

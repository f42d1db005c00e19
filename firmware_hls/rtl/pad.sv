// pad: a frame shorter than 60 bytes (64 with its FCS) gets zeros behind it. Such a frame is one beat.
module pad (
    input  wire          clk,
    input  wire          rst,
    input  wire          s_tvalid,
    output wire          s_tready,
    input  wire [511:0]  s_tdata,
    input  wire [63:0]   s_tkeep,
    input  wire          s_tlast,
    output logic         m_tvalid,
    input  wire          m_tready,
    output logic [511:0] m_tdata,
    output logic [63:0]  m_tkeep,
    output logic         m_tlast
);
  localparam logic [63:0] SIXTY = {4'h0, {60{1'b1}}};
  logic first;
  wire  short_frame = first && s_tlast && !s_tkeep[59];
  assign s_tready = !m_tvalid || m_tready;

  always_ff @(posedge clk) begin
    if (rst) begin
      first <= 1'b1;
      m_tvalid <= 1'b0;
    end else if (s_tready) begin
      m_tvalid <= s_tvalid;
      if (s_tvalid) first <= s_tlast;
    end
  end
  always_ff @(posedge clk) begin
    if (s_tready) begin
      // Bytes behind the end are whatever the kernel left there: never sent.
      for (int i = 0; i < 64; i++) m_tdata[8*i+:8] <= s_tkeep[i] ? s_tdata[8*i+:8] : 8'h0;
      m_tkeep <= short_frame ? (s_tkeep | SIXTY) : s_tkeep;
      m_tlast <= s_tlast;
    end
  end
endmodule

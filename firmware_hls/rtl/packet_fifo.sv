// packet_fifo: lets out whole packets only.
//
// A packet becomes visible to the reader with its last beat. It is dropped as a whole, and counted, when its last beat is marked
// bad, when it is longer than the FIFO, and, with DROP_WHEN_FULL, when the FIFO has no room (a receiver cannot be stopped).
// Without DROP_WHEN_FULL the writer waits instead. Inside a packet m_tvalid never goes down: the CMAC's transmitter needs that.
module packet_fifo #(
    parameter int DEPTH = 512,  // beats, a power of two
    parameter bit DROP_WHEN_FULL = 1'b1
) (
    input  wire          clk,
    input  wire          rst,
    input  wire          s_tvalid,
    output wire          s_tready,
    input  wire [511:0]  s_tdata,
    input  wire [63:0]   s_tkeep,
    input  wire          s_tlast,
    input  wire          s_tbad,    // with tlast: FCS or other error
    input  wire          s_abort,   // the writer is gone (link lost): a packet without its end is dropped
    output logic         m_tvalid,
    input  wire          m_tready,
    output wire  [511:0] m_tdata,
    output wire  [63:0]  m_tkeep,
    output wire          m_tlast,
    output logic [31:0]  accepted,
    output logic [31:0]  dropped_full,
    output logic [31:0]  dropped_bad
);
  localparam int WIDTH = $clog2(DEPTH);
  localparam logic [WIDTH:0] FULL = (WIDTH + 1)'(DEPTH);

  logic [576:0] cells[DEPTH];
  logic [576:0] out;
  // One bit more than an index: equal is empty, DEPTH apart is full.
  logic [WIDTH:0] write, committed, read;
  logic dropping;  // the rest of this packet is thrown away

  wire full = (write - read) == FULL;
  wire too_long = (write - committed) == FULL;  // nothing but this packet is inside: waiting would be for ever
  wire give_up = full && (DROP_WHEN_FULL || too_long);
  assign s_tready = DROP_WHEN_FULL || dropping || !full || too_long;
  wire taken = s_tvalid && s_tready;

  always_ff @(posedge clk) begin
    if (taken && !s_abort && !dropping && !full) cells[write[WIDTH-1:0]] <= {s_tlast, s_tkeep, s_tdata};
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      write <= '0;
      committed <= '0;
      dropping <= 1'b0;
      accepted <= '0;
      dropped_full <= '0;
      dropped_bad <= '0;
    end else if (s_abort) begin
      write <= committed;
      dropping <= 1'b0;
      if (write != committed) dropped_bad <= dropped_bad + 1;
    end else if (taken) begin
      if (dropping || give_up) begin
        write <= committed;
        dropping <= !s_tlast;
        if (!dropping) dropped_full <= dropped_full + 1;
      end else if (s_tlast && s_tbad) begin
        write <= committed;
        dropped_bad <= dropped_bad + 1;
      end else begin
        write <= write + 1;
        if (s_tlast) begin
          committed <= write + 1;
          accepted <= accepted + 1;
        end
      end
    end
  end

  wire move = !m_tvalid || m_tready;
  always_ff @(posedge clk) begin
    if (move) out <= cells[read[WIDTH-1:0]];
  end
  always_ff @(posedge clk) begin
    if (rst) begin
      read <= '0;
      m_tvalid <= 1'b0;
    end else if (move) begin
      m_tvalid <= read != committed;
      if (read != committed) read <= read + 1;
    end
  end
  assign {m_tlast, m_tkeep, m_tdata} = out;
endmodule

// clock_fifo: beats from one clock to another. Pointers cross as Gray code through two registers.
module clock_fifo #(
    parameter int DEPTH = 32  // beats, a power of two
) (
    input  wire          s_clk,
    input  wire          s_rst,
    input  wire          s_tvalid,
    output wire          s_tready,
    input  wire [511:0]  s_tdata,
    input  wire [63:0]   s_tkeep,
    input  wire          s_tlast,
    input  wire          m_clk,
    input  wire          m_rst,
    output logic         m_tvalid,
    input  wire          m_tready,
    output wire  [511:0] m_tdata,
    output wire  [63:0]  m_tkeep,
    output wire          m_tlast
);
  localparam int WIDTH = $clog2(DEPTH);

  logic [576:0] cells[DEPTH];
  logic [576:0] out;
  logic [WIDTH:0] write, write_gray, read, read_gray;
  (* ASYNC_REG = "TRUE" *) logic [WIDTH:0] write_seen0, write_seen, read_seen0, read_seen;

  wire [WIDTH:0] write_next = write + 1;
  wire [WIDTH:0] read_next = read + 1;
  // Full: the writer's Gray pointer equals the reader's with its two upper bits turned over.
  wire full = write_gray == {~read_seen[WIDTH:WIDTH-1], read_seen[WIDTH-2:0]};
  assign s_tready = !full && !s_rst;

  always_ff @(posedge s_clk) begin
    if (s_tvalid && s_tready) cells[write[WIDTH-1:0]] <= {s_tlast, s_tkeep, s_tdata};
  end
  always_ff @(posedge s_clk) begin
    if (s_rst) begin
      write <= '0;
      write_gray <= '0;
      {read_seen, read_seen0} <= '0;
    end else begin
      {read_seen, read_seen0} <= {read_seen0, read_gray};
      if (s_tvalid && s_tready) begin
        write <= write_next;
        write_gray <= write_next ^ (write_next >> 1);
      end
    end
  end

  wire empty = read_gray == write_seen;
  wire move = !m_tvalid || m_tready;
  always_ff @(posedge m_clk) begin
    if (move) out <= cells[read[WIDTH-1:0]];
  end
  always_ff @(posedge m_clk) begin
    if (m_rst) begin
      read <= '0;
      read_gray <= '0;
      m_tvalid <= 1'b0;
      {write_seen, write_seen0} <= '0;
    end else begin
      {write_seen, write_seen0} <= {write_seen0, write_gray};
      if (move) begin
        m_tvalid <= !empty;
        if (!empty) begin
          read <= read_next;
          read_gray <= read_next ^ (read_next >> 1);
        end
      end
    end
  end
  assign {m_tlast, m_tkeep, m_tdata} = out;
endmodule

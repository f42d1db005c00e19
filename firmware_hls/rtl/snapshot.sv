// snapshot: a group of counters from one clock to another, all of one moment. The copy is taken again and again.
module snapshot #(
    parameter int WIDTH = 32
) (
    input  wire              s_clk,
    input  wire              s_rst,
    input  wire  [WIDTH-1:0] s_value,
    input  wire              m_clk,
    input  wire              m_rst,
    output logic [WIDTH-1:0] m_value
);
  logic [WIDTH-1:0] held;  // still while the other side looks at it
  logic ask, answer;
  (* ASYNC_REG = "TRUE" *) logic ask_seen0, ask_seen, answer_seen0, answer_seen;

  always_ff @(posedge s_clk) begin
    if (s_rst) begin
      {ask_seen, ask_seen0} <= '0;
      answer <= 1'b0;
      held <= '0;
    end else begin
      {ask_seen, ask_seen0} <= {ask_seen0, ask};
      if (ask_seen != answer) begin
        held <= s_value;
        answer <= ask_seen;
      end
    end
  end
  always_ff @(posedge m_clk) begin
    if (m_rst) begin
      {answer_seen, answer_seen0} <= '0;
      ask <= 1'b0;
      m_value <= '0;
    end else begin
      {answer_seen, answer_seen0} <= {answer_seen0, answer};
      if (answer_seen == ask) begin
        m_value <= held;
        ask <= !ask;
      end
    end
  end
endmodule

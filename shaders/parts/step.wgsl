// What a step is about: the rows of its batch. Written by the CPU once a step.
struct Row {
  token: u32,     // the token, unless FROM_SAMPLED
  position: u32,  // in its session
  slot: u32,      // the session's slot; NO_SLOT: a row of padding, which computes nothing and writes nothing
  flags: u32,
}
const NO_SLOT = 0xffffffffu;
const FROM_SAMPLED = 1u;  // the token is what was last sampled for this slot
struct Step {
  rows: u32,
  logit_rows: u32,  // how many of logit_row are set
  reserved0: u32,
  reserved1: u32,
  row: array<Row, $maxRows>,
  logit_row: array<u32, $maxLogitRows>,  // indices into row: those whose next token is wanted
}

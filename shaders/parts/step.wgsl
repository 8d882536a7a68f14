// What a step is about: the rows of its batch. Written by the CPU once a step.
#import parts/step_row
struct Step {
  rows: u32,
  logit_rows: u32,  // how many of logit_row are set
  reserved0: u32,
  reserved1: u32,
  row: array<Row, $maxRows>,
  logit_row: array<u32, $maxLogitRows>,  // indices into row: those whose next token is wanted
}

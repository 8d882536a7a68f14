// hidden[i] = $scale * weights of the token of row i of the step, in f32, padding columns zero. Rows of padding and tokens
// outside the vocabulary become zero. With a weight of several parts each writes the rows whose token it has, the
// first (`first`) those that none has.
// Grid: x covers a row's columns, eight a thread; y is the row.
#import parts/step
#import $format

const UNITS: u32 = $units;
const EIGHTS = UNITS * 4u;
const ROWS: u32 = $rows;
const ROW_START: u32 = $rowStart;
const VOCABULARY: u32 = $vocabulary;

@group(0) @binding($stepBinding) var<storage, read> step: Step;
@group(0) @binding($sampledBinding) var<storage, read> sampled: array<u32>;
@group(0) @binding($hiddenBinding) var<storage, read_write> hidden: array<vec4f>;

fn row_units() -> u32 {
  return UNITS;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= EIGHTS {
    return;
  }
  let row = step.row[id.y];
  var token = VOCABULARY;
  if row.slot != NO_SLOT {
    token = row.token;
    if (row.flags & FROM_SAMPLED) != 0u {
      token = sampled[row.slot];
    }
  }
  let at = (id.y * EIGHTS + id.x) * 2u;
  if token >= ROW_START && token < ROW_START + ROWS {
    let eight = load_eight(token - ROW_START, id.x / 4u, id.x % 4u);
    hidden[at] = $scale * eight[0];
    hidden[at + 1u] = $scale * eight[1];
  }
#if first
  if token >= VOCABULARY {
    hidden[at] = vec4f();
    hidden[at + 1u] = vec4f();
  }
#endif
}

// Queries in place: RMS norm a head (with headNorm), then the rotary embedding of the first rotaryDims dimensions.
// q: [row][head][headSize], rows `stride` apart. Rows of padding stay as they are.
// Grid: x is the head, y the row.
#import parts/step
#import parts/rotary

@group(0) @binding(0) var<storage, read_write> q: array<S>;
@group(0) @binding(1) var<storage, read> rope: array<vec2f>;
@group(0) @binding(2) var<storage, read> step: Step;
#if headNorm
@group(0) @binding(3) var<storage, read> norm: array<f32>;
#endif

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = step.row[group.y];
  if row.slot == NO_SLOT {
    return;
  }
  let first = group.y * u32($stride) + group.x * HEAD_SIZE;
  for (var d = thread; d < HEAD_SIZE; d += THREADS) {
    head[d] = f32(q[first + d]);
  }
  workgroupBarrier();
#if headNorm
  normalize_head(thread);
#endif
  for (var d = thread; d < HEAD_SIZE; d += THREADS) {
    q[first + d] = store(rotated(d, row.position));
  }
}

// One head in workgroup memory: its RMS norm (where the model has one) and its rotation by position.
// The importing kernel binds `rope`, cos and sin of [position][rotaryDims / 2], and with headNorm `norm`, headSize weights.
#import parts/store
#if headNorm
#import parts/workgroup_sum
#endif

const HEAD_SIZE: u32 = $headSize;
const ROTARY_PAIRS: u32 = $rotaryDims / 2u;
const THREADS: u32 = $threads;
var<workgroup> head: array<f32, $headSize>;

#if headNorm
fn normalize_head(thread: u32) {
  var squares = 0.0;
  for (var d = thread; d < HEAD_SIZE; d += THREADS) {
    squares += head[d] * head[d];
  }
  let scale = 1.0 / sqrt(workgroup_sum(squares, thread) / f32(HEAD_SIZE) + $eps);
  for (var d = thread; d < HEAD_SIZE; d += THREADS) {
    head[d] *= scale * norm[d];
  }
  workgroupBarrier();
}
#endif

/// Dimension d of the head after the rotation.
fn rotated(d: u32, position: u32) -> f32 {
  if d >= 2u * ROTARY_PAIRS {
    return head[d];
  }
#if pairing == adjacent
  let pair = d / 2u;
  let first = head[2u * pair];
  let second = head[2u * pair + 1u];
  let is_second = d % 2u == 1u;
#else
  let is_second = d >= ROTARY_PAIRS;
  let pair = select(d, d - ROTARY_PAIRS, is_second);
  let first = head[pair];
  let second = head[pair + ROTARY_PAIRS];
#endif
  let turn = rope[position * ROTARY_PAIRS + pair];
  return select(first * turn.x - second * turn.y, first * turn.y + second * turn.x, is_second);
}

// output[b][n] = silu(gate) * up as rows (parts/row), gate and up the products with rows n of two tensors that lie in the same
// planes: shape.rows rows of gate, then as many of up. x is not yet divided by its root mean square (parts/rms_scalars).
// Outputs of a workgroup: 8 of gate, 8 of up. Grid: x covers shape.padded_rows, 8 a workgroup.
#import parts/row_write
#import parts/rms_scalars
#import parts/silu

@group(0) @binding($outputBinding) var<storage, read_write> output: array<u32>;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

const FOURS = 4u; // pairs of an eight
var<workgroup> pair_sums: array<f32, BATCH * FOURS>;

fn weight_row(workgroup: vec3u, output: u32) -> u32 {
  return output / 8u * shape.rows + min(workgroup.x * 8u + output % 8u, shape.rows - 1u);
}

// Outputs i and i + 1 of gate and of up for row b.
fn gate_and_up(b: u32, n: u32, i: u32) -> vec4f {
  let at = b * OUTPUTS + i;
  var value = vec4f(outputs[at], outputs[at + 1u], outputs[at + 8u], outputs[at + 9u]) * scalars[b].x;
#if bias
  let gate = shape.bias_row + n;
  let up = gate + $upBias;
  value += vec4f(bias[gate], bias[gate + 1u], bias[up], bias[up + 1u]);
#endif
  return value;
}

fn finish(workgroup: vec3u, thread: u32) {
  let units = shape.y_stride / 32u;
  find_scalars(thread);
  for (var i = thread; i < BATCH * FOURS; i += THREADS) {
    let b = i / FOURS;
    let n = workgroup.x * 8u + i % FOURS * 2u;
    var kept = vec2f();
    if n < shape.rows {
      let value = gate_and_up(b, n, i % FOURS * 2u);
      kept = stored(silu(value.xyxy).xy * value.zw);
    }
    write_pair(b * row_words(units), (shape.row_start + n) / 2u, kept);
    pair_sums[i] = kept.x + kept.y;
  }
  workgroupBarrier();
  if thread < BATCH {
    let at = thread * FOURS;
    let row = thread * row_words(units);
    write_sum(row, units, shape.row_start / 8u + workgroup.x, across(vec4f(
      pair_sums[at], pair_sums[at + 1u], pair_sums[at + 2u], pair_sums[at + 3u])));
    if shape.row_start + workgroup.x == 0u {
      write_scale(row, units, power_of(scalars[thread].y));
    }
  }
}

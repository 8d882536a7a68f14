// y[b][n] = (accumulate: y[b][n]) + (bias: bias[n]) + the product. Y is S, or f32 when `wide`; columns of padding become
// zero. Grid: x covers shape.padded_rows, $outputs a workgroup.
#if wide
alias Y = f32;
#else
alias Y = S;
#endif

@group(0) @binding($yBinding) var<storage, read_write> y: array<Y>;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

fn weight_row(workgroup: vec3u, output: u32) -> u32 {
  return shape.plane_row + min(workgroup.x * OUTPUTS + output, shape.rows - 1u);
}

fn finish(workgroup: vec3u, thread: u32) {
  for (var i = thread; i < BATCH * OUTPUTS; i += THREADS) {
    let row = workgroup.x * OUTPUTS + i % OUTPUTS;
    if row < shape.padded_rows {
      let at = i / OUTPUTS * shape.y_stride + shape.row_start + row;
      var value = 0.0;
      if row < shape.rows {
        value = outputs[i];
#if bias
        value += bias[shape.bias_row + row];
#endif
#if accumulate
        value += f32(y[at]);
#endif
      }
#if wide
      y[at] = value;
#else
      y[at] = store(value);
#endif
    }
  }
}

// Writing rows of activations (parts/row) word by word; the importing kernel binds them as `output`. Sums of an eight are
// taken in one order everywhere, so that a row has the same bits whichever kernel wrote it.
#import parts/store
#import parts/row

fn row_words(units: u32) -> u32 {
  return row_vectors(units) * 4u;
}

// What is left of two values once they are stored: quantizeToF16, since compilers may take a conversion to f16 and back
// for nothing. Of subnormal ones, which GPUs may take for zero, it is what the product that reads them makes of them: where
// one value of a row is 10,000 times the others, these are many.
fn stored(pair: vec2f) -> vec2f {
#if f16
  let held = clamp(pair, vec2f(-65504.0), vec2f(65504.0));
  let read = vec2f(bitcast<vec2<f16>>(pack2x16float(held)));
  return select(quantizeToF16(held), read, abs(held) < vec2f(0x1p-14f));
#else
  return pair;
#endif
}

// Writes two neighbouring values, as stored, of the row that begins at word `row`.
fn write_pair(row: u32, pair: u32, values: vec2f) {
#if f16
  output[row + pair] = pack2x16float(values);
#else
  output[row + pair * 2u] = bitcast<u32>(values.x);
  output[row + pair * 2u + 1u] = bitcast<u32>(values.y);
#endif
}

fn write_sum(row: u32, units: u32, eight: u32, sum: f32) {
  output[row + row_sums(units) * 4u + eight] = bitcast<u32>(sum);
}

fn write_scale(row: u32, units: u32, scale: f32) {
  output[row + row_scale(units) * 4u] = bitcast<u32>(scale);
}

fn write_squares(row: u32, units: u32, eight: u32, squares: f32) {
  output[row + row_squares(units) * 4u + eight] = bitcast<u32>(squares);
}

// Writes eight neighbouring values and their sum.
fn write_eight(row: u32, units: u32, eight: u32, low: vec4f, high: vec4f) {
  let pairs = array(stored(low.xy), stored(low.zw), stored(high.xy), stored(high.zw));
  for (var i = 0u; i < 4u; i++) {
    write_pair(row, eight * 4u + i, pairs[i]);
  }
  write_sum(row, units, eight, across(vec4f(
    pairs[0].x + pairs[0].y, pairs[1].x + pairs[1].y, pairs[2].x + pairs[2].y, pairs[3].x + pairs[3].y)));
}

// Of an eight's squares. They come out of workgroup memory: of a product and a sum that follow each other a compiler may
// make one operation, in one kernel and not in another, and a stage that begins would have other bits than one that goes on.
fn sum_of_squares(pairs: array<vec2f, 4>) -> f32 {
  return across(vec4f(
    pairs[0].x + pairs[0].y, pairs[1].x + pairs[1].y, pairs[2].x + pairs[2].y, pairs[3].x + pairs[3].y));
}

// Of four pairs, so of an eight.
fn across(pairs: vec4f) -> f32 {
  return (pairs.x + pairs.y) + (pairs.z + pairs.w);
}

// The power of two near an eighth of 1 / rms: values times it are far from both ends of what f16 holds, also where one
// is much larger than the others, or the row than it was one norm before.
fn power_of(inverse_rms: f32) -> f32 {
  let inverse = clamp(inverse_rms, 0x1p-60f, 0x1p60f);
  return bitcast<f32>(bitcast<u32>(inverse) & 0x7f800000u) * 0.125;
}

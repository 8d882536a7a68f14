// d * scale * (q - 32). Rows of row_units() units, eight a superblock. Three words a, b, c hold 16 weights: of a unit's first
// group of 16 in low halves, of its second in high halves; bits 0 and 6 of a, b, c; low nibbles of the last two on top
// of a and c, their high bits on top of b. quants: a, b, a, b a unit; high: c, c; scales: per row bytes scale + 128, a word
// for two units (first groups, then second ones), then halves d. load_eight: one half of one triple.
#import parts/half
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> high: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let group = eight / 2u;
  let words = quants[row * row_units() + unit];
  let ab = select(words.xy, words.zw, (eight & 1u) == 1u) >> vec2(group * 16u);
  let a = ab.x;
  let b = ab.y;
  let c = high[row * row_units() + unit][eight & 1u] >> (group * 16u);
  let low = vec4(a, a >> 6u, b, b >> 6u) & vec4(63u);
  let upper = vec4(c, c >> 6u, ((a >> 12u) & 15u) | ((b >> 8u) & 48u), ((c >> 12u) & 15u) | ((b >> 10u) & 48u)) & vec4(63u);
  let row_scales = row * (row_units() / 2u + (row_units() / 8u + 1u) / 2u);
  let byte = (scales[row_scales + unit / 2u] >> ((unit & 1u) * 8u + group * 16u)) & 255u;
  let block = unit / 8u;
  let d = half_to_float((scales[row_scales + row_units() / 2u + block / 2u] >> ((block & 1u) * 16u)) & 0xffffu);
  let scale = d * (f32(byte) - 128.0);
  return array(scale * (vec4f(low) - 32.0), scale * (vec4f(upper) - 32.0));
}

// formats/q6_k for tiles. load_sixteen: as parts/sixteen says; one triple of words.
#import parts/half
#import parts/sixteen
#import parts/unpack
@group(0) @binding(0) var<storage, read> quants: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> high: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let row_scales = row * (row_units() / 2u + (row_units() / 8u + 1u) / 2u);
  let block = unit / 8u;
  let d = half_to_float((scales[row_scales + row_units() / 2u + block / 2u] >> ((block & 1u) * 16u)) & 0xffffu);
  let bytes = scales[row_scales + unit / 2u] >> ((unit & 1u) * 8u);
  let first = d * (f32(bytes & 255u) - 128.0); // of the unit's first sixteen weights, which are in low halves
  let last = d * (f32((bytes >> 16u) & 255u) - 128.0);
  let at = (row * row_units() + unit) * 2u + part;
  let a = quants[at].x;
  let b = quants[at].y;
  let c = high[at];
  let sixth = ((a >> 12u) & 0x000f000fu) | ((b >> 8u) & 0x00300030u);
  let seventh = ((c >> 12u) & 0x000f000fu) | ((b >> 10u) & 0x00300030u);
#if f16
  let q0 = above_1024(a & 0x003f003fu);
  let q1 = above_1024((a >> 6u) & 0x003f003fu);
  let q2 = above_1024(b & 0x003f003fu);
  let q3 = above_1024((b >> 6u) & 0x003f003fu);
  let q4 = above_1024(c & 0x003f003fu);
  let q5 = above_1024((c >> 6u) & 0x003f003fu);
  let q6 = above_1024(sixth);
  let q7 = above_1024(seventh);
  let first_offset = negative(first * 1056.0);
  let last_offset = negative(last * 1056.0);
  return Sixteen(
    vec4(
      scaled_pair(vec2f(q0.x, q1.x), first, first_offset), scaled_pair(vec2f(q2.x, q3.x), first, first_offset),
      scaled_pair(vec2f(q4.x, q5.x), first, first_offset), scaled_pair(vec2f(q6.x, q7.x), first, first_offset)),
    vec4(
      scaled_pair(vec2f(q0.y, q1.y), last, last_offset), scaled_pair(vec2f(q2.y, q3.y), last, last_offset),
      scaled_pair(vec2f(q4.y, q5.y), last, last_offset), scaled_pair(vec2f(q6.y, q7.y), last, last_offset)));
#else
  let four = vec4(a, a, b, b) ;
  let rest = vec4(c, c, sixth, seventh);
  let first_scales = first * vec4f(1.0, 0x1p-6, 1.0, 0x1p-6);
  let last_scales = last * vec4f(0x1p-16, 0x1p-22, 0x1p-16, 0x1p-22);
  let first_offset = vec4f(negative(first * 32.0));
  let last_offset = vec4f(negative(last * 32.0));
  let fields = vec4(0x3fu, 0xfc0u, 0x3fu, 0xfc0u);
  let rest_fields = vec4(0x3fu, 0xfc0u, 0x3fu, 0x3fu);
  return Sixteen(
    fma(vec4f(four & fields), first_scales, first_offset),
    fma(vec4f(rest & rest_fields), vec4f(first_scales.xyz, first), first_offset),
    fma(vec4f(four & (fields << vec4(16u))), last_scales, last_offset),
    fma(vec4f(rest & (rest_fields << vec4(16u))), vec4f(last_scales.xyz, last_scales.x), last_offset));
#endif
}

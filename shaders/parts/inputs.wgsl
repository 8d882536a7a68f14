// What the vector forms of the formats read of x.

// Eight columns of a row b, and four of them, k 0 or 1, as f32. f32 rows may be read by fours.
#if f16
alias Eight = vec4<u32>;
fn input_eight(b: u32, eight: u32) -> Eight {
  return x[b * row_vectors(row_units()) + eight];
}
fn four_of(columns: Eight, k: u32) -> vec4f {
  return vec4f(half_pair(columns[2u * k]), half_pair(columns[2u * k + 1u]));
}
#else
alias Eight = array<vec4f, 2>;
fn input_eight(b: u32, eight: u32) -> Eight {
  return Eight(input_four(b, eight * 2u), input_four(b, eight * 2u + 1u));
}
fn input_four(b: u32, four: u32) -> vec4f {
  return bitcast<vec4f>(x[b * row_vectors(row_units()) + four]);
}
fn four_of(columns: Eight, k: u32) -> vec4f {
  return columns[k];
}
#endif

// sum + four columns times four weights.
fn add_four(sum: f32, columns: vec4f, w0: vec2f, w1: vec2f) -> f32 {
  return fma(w1.y, columns.w, fma(w1.x, columns.z, fma(w0.y, columns.y, fma(w0.x, columns.x, sum))));
}

// The halves of a word as f32: no operation on GPUs whose f32 arithmetic takes halves.
fn half_pair(word: u32) -> vec2f {
#if f16
  return vec2f(bitcast<vec2<f16>>(word));
#else
  return unpack2x16float(word);
#endif
}

// Of a unit of row b: the sums of columns 0-15 and of columns 16-31.
fn input_sums(b: u32, unit: u32) -> vec2f {
  let row = b * row_vectors(row_units());
  let eights = bitcast<vec4f>(x[row + row_sums(row_units()) + unit]);
  return vec2f(eights.x + eights.y, eights.z + eights.w);
}

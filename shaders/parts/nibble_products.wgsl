// Products of units of nibbles and x, for the vector forms of the 4-bit formats. Words as parts/nibbles has them.
#import parts/inputs
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

const STEPS = 1u;

#if f16
// starts + q * x over a unit, for the rows of W from `first` on and each b. Weights 0-15 of the unit are read as 1024 + q, the
// others as 64 + q (bits 4-7 of a half whose lowest is 1/16); `product_start` takes that out.
fn nibble_products(starts: array<f32, BATCH>, first: u32, unit: u32) -> Sums {
  let at = first * row_units() + unit;
  var sums: Sums;
#for r in 0..$group
  let words$r = quants[at + $r * row_units()];
  sums[$r] = starts;
#endfor
#for h in 0..2
  {
#for b in 0..$batch
    let low$b = input_eight($b, unit * 4u + $h);
    let high$b = input_eight($b, unit * 4u + $h + 2);
#endfor
#for r in 0..$group
#for k in 0..2
    {
      let word = words$r[$h * 2 + $k];
      let upper = word >> 8u;
      let w0 = above_1024(word & 0x000f000fu);
      let w1 = above_1024(upper & 0x000f000fu);
      let w2 = above_64(word & 0x00f000f0u);
      let w3 = above_64(upper & 0x00f000f0u);
#for b in 0..$batch
      sums[$r][$b] = add_pair(sums[$r][$b], w0, low$b[$k * 2]);
      sums[$r][$b] = add_pair(sums[$r][$b], w1, low$b[$k * 2 + 1]);
      sums[$r][$b] = add_pair(sums[$r][$b], w2, high$b[$k * 2]);
      sums[$r][$b] = add_pair(sums[$r][$b], w3, high$b[$k * 2 + 1]);
#endfor
    }
#endfor
#endfor
  }
#endfor
  return sums;
}
fn above_64(numbers: u32) -> vec2f {
  return vec2f(bitcast<vec2<f16>>(numbers | 0x54005400u));
}
// What products start from, given the unit's input_sums, for weights q - zero.
fn product_start(columns: vec2f, zero: f32) -> f32 {
  return fma(columns.x, -1024.0 - zero, columns.y * (-64.0 - zero));
}
#else
fn nibble_products(starts: array<f32, BATCH>, first: u32, unit: u32) -> Sums {
  let at = first * row_units() + unit;
  var sums: Sums;
#for r in 0..$group
  let words$r = quants[at + $r * row_units()];
  sums[$r] = starts;
#endfor
#for j in 0..4
  {
#for b in 0..$batch
    let low$b = input_four($b, unit * 8u + $j);
    let high$b = input_four($b, unit * 8u + $j + 4);
#endfor
#for r in 0..$group
    {
      let low = four_nibbles(words$r[$j]);
      let high = four_nibbles(words$r[$j] >> 4u);
#for b in 0..$batch
      sums[$r][$b] = add_four(add_four(sums[$r][$b], low, low$b), high, high$b);
#endfor
    }
#endfor
  }
#endfor
  return sums;
}
fn four_nibbles(word: u32) -> vec4f {
  return vec4f((vec4(word) >> vec4(0u, 16u, 8u, 24u)) & vec4(15u));
}
fn product_start(columns: vec2f, zero: f32) -> f32 {
  return (columns.x + columns.y) * -zero;
}
#endif

// Products of units of nibbles and x, for the vector forms of the 4-bit formats. Words as parts/nibbles has them.
//
// A nibble at bits 4-7 of a half is read as the half 64 + q, by putting the exponent above it; the lowest nibbles are shifted
// there in the same addition. The offset of 64 stays in the products until the end of the unit, where it is taken out by
// the sum of x (`product_start`); so it costs no operation a weight, and little precision: a few parts in 10^6.
#import parts/inputs
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

const STEPS = 1u;

// starts + q * x over a unit, for the rows of W from `first` on and each b.
fn nibble_products(starts: array<f32, BATCH>, first: u32, unit: u32) -> Sums {
  let at = first * row_units() + unit;
  var sums: Sums;
#for r in 0..$group
  let words$r = quants[at + $r * row_units()];
  sums[$r] = starts;
#endfor
  // words 2h and 2h + 1: eight columns from 8h on in their low nibbles, eight from 8h + 16 on in their high ones
#for h in 0..2
  {
#if f16
#for b in 0..$batch
    let low$b = input_eight($b, unit * 4u + $h);
    let high$b = input_eight($b, unit * 4u + $h + 2);
#endfor
#endif
#for k in 0..2
    {
#if !f16
#for b in 0..$batch
      let low$b = input_four($b, unit * 8u + $h * 2 + $k);
      let high$b = input_four($b, unit * 8u + $h * 2 + $k + 4);
#endfor
#endif
#for r in 0..$group
      {
        let word = words$r[$h * 2 + $k];
        let next = word >> 8u;
        let w0 = low_nibbles(word);
        let w1 = low_nibbles(next);
        let w2 = high_nibbles(word);
        let w3 = high_nibbles(next);
#for b in 0..$batch
#if f16
        sums[$r][$b] = add_four(add_four(sums[$r][$b], four_of(low$b, $k), w0, w1), four_of(high$b, $k), w2, w3);
#else
        sums[$r][$b] = add_four(add_four(sums[$r][$b], low$b, w0, w1), high$b, w2, w3);
#endif
#endfor
      }
#endfor
    }
#endfor
  }
#endfor
  return sums;
}

fn low_nibbles(word: u32) -> vec2f {
  return half_pair(((word & 0x000f000fu) << 4u) + 0x54005400u);
}
fn high_nibbles(word: u32) -> vec2f {
  return half_pair((word & 0x00f000f0u) | 0x54005400u);
}

// What the products start from, for weights q - zero, given the sum of the unit's columns.
fn product_start(columns: f32, zero: f32) -> f32 {
  return columns * (-64.0 - zero);
}

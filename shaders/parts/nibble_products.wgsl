// Products of units of nibbles and x, for the vector forms of the 4-bit formats. Words as parts/nibbles has them.
//
// Ones above two nibbles of a half make both readable: a mask that leaves one nibble and some of the ones is a half, 1024 + 4q
// of the nibble at bits 2-5 and 64 + 4q of that at bits 6-9. The offsets stay in the products until the end of the unit, where
// the sums of x take them out (`product_start`); so they cost no operation a weight, and little precision: a few parts
// in 10^6, 10^5 where x has one sign.
#import parts/inputs
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

const STEPS = 1u;

// starts + 4 * q * x over a unit, for the rows of W from `first` on and each b.
fn nibble_products(starts: array<f32, BATCH>, first: u32, unit: u32) -> Sums {
  let at = first * row_units() + unit;
  var sums: Sums;
#for r in 0..$rows
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
#for r in 0..$rows
      {
        let word = words$r[$h * 2 + $k];
        let even = word | ABOVE;
        let odd = ((word >> 8u) | (word << 24u)) | ABOVE;
        let w0 = half_pair(even & LOW);
        let w1 = half_pair(odd & LOW);
        let w2 = half_pair(even & HIGH);
        let w3 = half_pair(odd & HIGH);
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

// The ones of both exponents, and each with its nibble.
const ABOVE = 0x74007400u;
const LOW = 0x643c643cu;
const HIGH = 0x57c057c0u;

// What the products start from, for weights q - zero, given the sums of the unit's columns 0-15 and 16-31.
fn product_start(columns: vec2f, zero: f32) -> f32 {
  return fma(columns.x, -1024.0 - 4.0 * zero, columns.y * (-64.0 - 4.0 * zero));
}

// formats/q8_0 for products with vectors: d * q.
//
// A byte q + 128 at bits 2-9 of a half is read as the half 256 + 128 + q, by putting the exponent above it. The offset stays in
// the products until the end of the unit, where the sum of x takes it out: `start`.
#import parts/inputs
#import parts/half_scales
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

const STEPS = 1u;

fn begin(lane: u32, first: u32) {}

fn add_step(sums: Sums, first: u32, unit: u32) -> Sums {
  var products: Sums;
#for b in 0..$batch
  {
    let columns = input_sums($b, unit);
    let start = (columns.x + columns.y) * -384.0;
#for i in 0..$rows
    products[$i][$b] = start;
#endfor
  }
#endfor
  let at = first * (2u * row_units()) + unit;
#for v in 0..2
  {
#for i in 0..$rows
    let words$i = quants[at + (2 * $i + $v) * row_units()];
#endfor
#for e in 0..2
    {
#if f16
#for b in 0..$batch
      let x$b = input_eight($b, unit * 4u + $v * 2u + $e);
#endfor
#endif
#for k in 0..2
      {
#if !f16
#for b in 0..$batch
        let x$b = input_four($b, unit * 8u + $v * 4u + $e * 2u + $k);
#endfor
#endif
#for i in 0..$rows
        {
          let w0 = two_bytes(words$i[$e * 2 + $k]);
          let w1 = two_bytes(words$i[$e * 2 + $k] >> 8u);
#for b in 0..$batch
#if f16
          products[$i][$b] = add_four(products[$i][$b], four_of(x$b, $k), w0, w1);
#else
          products[$i][$b] = add_four(products[$i][$b], x$b, w0, w1);
#endif
#endfor
        }
#endfor
      }
#endfor
    }
#endfor
  }
#endfor
  return add_scaled(sums, products, first, unit);
}

fn two_bytes(word: u32) -> vec2f {
  return half_pair(((word & 0x00ff00ffu) << 2u) + 0x5c005c00u);
}

fn total(sum: f32) -> f32 {
  return sum * SCALE_UNIT;
}

// formats/q8_0 for products with vectors: d * q. In f16 bytes are read as 1024 + 128 + q, two in a word, which `starts` takes out.
#import parts/inputs
#import parts/half_scales
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;

const STEPS = 1u;

fn begin(lane: u32, first: Firsts) {}

fn add_step(sums: Sums, first: u32, g: u32, unit: u32) -> Sums {
  var products: Sums;
#for b in 0..$batch
  {
    let columns = input_sums($b, unit);
#if f16
    let start = (columns.x + columns.y) * -1152.0;
#else
    let start = (columns.x + columns.y) * -128.0;
#endif
#for i in 0..$group
    products[$i][$b] = start;
#endfor
  }
#endfor
  let at = first * (2u * row_units()) + unit;
#for v in 0..2
  {
#for i in 0..$group
    let words$i = quants[at + (2 * $i + $v) * row_units()];
#endfor
#if f16
#for e in 0..2
#for b in 0..$batch
    let x$e$b = input_eight($b, unit * 4u + $v * 2u + $e);
#endfor
#for i in 0..$group
#for k in 0..2
    {
      let word = words$i[$e * 2 + $k];
      let w0 = above_1024(word & 0x00ff00ffu);
      let w1 = above_1024((word >> 8u) & 0x00ff00ffu);
#for b in 0..$batch
      products[$i][$b] = add_pair(products[$i][$b], w0, x$e$b[$k * 2]);
      products[$i][$b] = add_pair(products[$i][$b], w1, x$e$b[$k * 2 + 1]);
#endfor
    }
#endfor
#endfor
#endfor
#else
#for j in 0..4
#for b in 0..$batch
    let x$j$b = input_four($b, unit * 8u + $v * 4u + $j);
#endfor
#for i in 0..$group
    {
      let bytes = vec4f((vec4(words$i[$j]) >> vec4(0u, 16u, 8u, 24u)) & vec4(255u));
#for b in 0..$batch
      products[$i][$b] = add_four(products[$i][$b], bytes, x$j$b);
#endfor
    }
#endfor
#endfor
#endif
  }
#endfor
  return add_scaled(sums, products, first, unit);
}

fn total(sum: f32) -> f32 {
  return sum * SCALE_UNIT;
}

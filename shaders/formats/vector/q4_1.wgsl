// formats/q4_1 for products with vectors: d * q + m.
#import parts/nibble_products
#import parts/half
@group(0) @binding(1) var<storage, read> scales: array<u32>;

fn begin(lane: u32, first: u32) {}

fn add_step(sums: Sums, first: u32, unit: u32) -> Sums {
  var starts: array<f32, BATCH>;
  var columns: array<f32, BATCH>;
#for b in 0..$batch
  {
    let halves = input_sums($b, unit);
    starts[$b] = product_start(halves, 0.0);
    columns[$b] = (halves.x + halves.y) * 4.0;
  }
#endfor
  let products = nibble_products(starts, first, unit);
  let at = first * row_units() + unit;
  var out: Sums;
#for i in 0..$rows
  {
    let pair = half_pair(scales[at + $i * row_units()]);
#for b in 0..$batch
    out[$i][$b] = fma(pair.x, products[$i][$b], fma(pair.y, columns[$b], sums[$i][$b]));
#endfor
  }
#endfor
  return out;
}

fn total(sum: f32) -> f32 {
  return sum * (SCALE_UNIT / 4.0);
}

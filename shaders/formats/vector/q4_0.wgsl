// formats/q4_0 for products with vectors: d * (q - 8).
#import parts/nibble_products
#import parts/half_scales

fn begin(lane: u32, first: u32) {}

fn add_step(sums: Sums, first: u32, unit: u32) -> Sums {
  var starts: array<f32, BATCH>;
#for b in 0..$batch
  {
    starts[$b] = product_start(input_sums($b, unit), 8.0);
  }
#endfor
  return add_scaled(sums, nibble_products(starts, first, unit), first, unit);
}

fn total(sum: f32) -> f32 {
  return sum * (SCALE_UNIT / 4.0);
}

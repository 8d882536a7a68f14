// formats/f32 for products with vectors, eight weights at a time.
#import parts/eight_products
@group(0) @binding(0) var<storage, read> values: array<vec4f>;

fn add_step(sums: Sums, first: u32, eight: u32) -> Sums {
  let at = (first * (row_units() * STEPS) + eight) * 2u;
  var eights: Eights;
#for i in 0..$rows
  eights[$i] = array(values[at + $i * row_units() * STEPS * 2u], values[at + $i * row_units() * STEPS * 2u + 1u]);
#endfor
  return add_eights(sums, eights, eight);
}

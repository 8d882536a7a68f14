// formats/f16 for products with vectors, eight weights at a time.
#import parts/eight_products
@group(0) @binding(0) var<storage, read> values: array<vec4<u32>>;

fn add_step(sums: Sums, first: u32, eight: u32) -> Sums {
  let at = first * (row_units() * STEPS) + eight;
  var eights: Eights;
#for i in 0..$rows
  {
    let words = values[at + $i * row_units() * STEPS];
    eights[$i] = array(
      vec4f(half_pair(words.x), half_pair(words.y)), vec4f(half_pair(words.z), half_pair(words.w)));
  }
#endfor
  return add_eights(sums, eights, eight);
}

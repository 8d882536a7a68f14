// formats/bf16 for products with vectors, eight weights at a time.
#import parts/eight_products
@group(0) @binding(0) var<storage, read> values: array<vec4<u32>>;

fn add_step(sums: Sums, first: u32, eight: u32) -> Sums {
  let at = first * (row_units() * STEPS) + eight;
  var eights: Eights;
#for i in 0..$rows
  {
    let words = values[at + $i * row_units() * STEPS];
    let even = bitcast<vec4f>(words << vec4(16u));
    let odd = bitcast<vec4f>(words & vec4(0xffff0000u));
    eights[$i] = array(vec4f(even.x, odd.x, even.y, odd.y), vec4f(even.z, odd.z, even.w, odd.w));
  }
#endfor
  return add_eights(sums, eights, eight);
}

// Products of eights of weights that are floats and x, for the vector forms of those formats.
#import parts/inputs

const STEPS = 4u;

alias Eights = array<array<vec4f, 2>, GROUP>;

fn add_eights(sums: Sums, eights: Eights, eight: u32) -> Sums {
  var out: Sums;
#for b in 0..$batch
  {
#if f16
    let columns = input_eight($b, eight);
#else
    let columns = array(input_four($b, eight * 2u), input_four($b, eight * 2u + 1u));
#endif
#for i in 0..$group
    out[$i][$b] = add_eight(sums[$i][$b], eights[$i], columns);
#endfor
  }
#endfor
  return out;
}

#if f16
fn add_eight(sum: f32, weights: array<vec4f, 2>, columns: vec4<u32>) -> f32 {
  let first = add_pair(add_pair(sum, weights[0].xy, columns.x), weights[0].zw, columns.y);
  return add_pair(add_pair(first, weights[1].xy, columns.z), weights[1].zw, columns.w);
}
#else
fn add_eight(sum: f32, weights: array<vec4f, 2>, columns: array<vec4f, 2>) -> f32 {
  return add_four(add_four(sum, weights[0], columns[0]), weights[1], columns[1]);
}
#endif

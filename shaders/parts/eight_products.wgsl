// Products of eights of weights that are floats and x, for the vector forms of those formats.
#import parts/inputs

const STEPS = 4u;

alias Eights = array<array<vec4f, 2>, ROWS>;

fn add_eights(sums: Sums, eights: Eights, eight: u32) -> Sums {
  var out = sums;
#for b in 0..$batch
  {
    let columns = input_eight($b, eight);
#for i in 0..$rows
#for k in 0..2
    out[$i][$b] = add_four(out[$i][$b], four_of(columns, $k), eights[$i][$k].xy, eights[$i][$k].zw);
#endfor
#endfor
  }
#endfor
  return out;
}

fn begin(lane: u32, first: u32) {}

fn total(sum: f32) -> f32 {
  return sum;
}

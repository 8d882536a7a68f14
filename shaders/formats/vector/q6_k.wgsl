// formats/q6_k for products with vectors: d * scale * (q - 32).
//
// Six bits at bits 4-9 of a half are read as the half 64 + q, by putting the exponent above them. The offset stays in the
// products until the end of the unit, where the sums of x take it out: `start`. A unit's two groups of 16, in the low and
// the high halves of the words, have scales of their own, and so products of their own.
#import parts/inputs
#import parts/half
#import parts/unpack
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> high: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;

const STEPS = 1u;

alias Groups = array<array<vec2f, BATCH>, ROWS>;

fn begin(lane: u32, first: u32) {}

fn add_step(sums: Sums, first: u32, unit: u32) -> Sums {
  var products: Groups;
#for b in 0..$batch
  {
    let start = input_sums($b, unit) * -96.0;
#for i in 0..$rows
    products[$i][$b] = start;
#endfor
  }
#endfor
  let at = first * row_units() + unit;
#for i in 0..$rows
  let words$i = quants[at + $i * row_units()];
  let more$i = high[at + $i * row_units()];
#endfor
  // eight e of both groups
#for e in 0..2
  {
#for b in 0..$batch
    let low$b = input_eight($b, unit * 4u + $e);
    let high$b = input_eight($b, unit * 4u + $e + 2);
#endfor
#for i in 0..$rows
    {
      let a = words$i[$e * 2];
      let b = words$i[$e * 2 + 1];
      let c = more$i[$e];
      let w = array(
        six_bits(a), six_bits(a >> 6u), six_bits(b), six_bits(b >> 6u), six_bits(c), six_bits(c >> 6u),
        above_64(((a >> 12u) & 0x000f000fu) | ((b >> 8u) & 0x00300030u)),
        above_64(((c >> 12u) & 0x000f000fu) | ((b >> 10u) & 0x00300030u)));
#for b in 0..$batch
      products[$i][$b] = add_eights(products[$i][$b], low$b, high$b, w);
#endfor
    }
#endfor
  }
#endfor
  return add_scaled(sums, products, first, unit);
}

// sums + an eight of columns of either group times its weights, in x for the first group, in y for the second.
fn add_eights(sums: vec2f, low: Eight, high: Eight, w: array<vec2f, 8>) -> vec2f {
  var out = sums;
#for k in 0..2
  out.x = add_four(out.x, four_of(low, $k), vec2f(w[4 * $k].x, w[4 * $k + 1].x), vec2f(w[4 * $k + 2].x, w[4 * $k + 3].x));
  out.y = add_four(out.y, four_of(high, $k), vec2f(w[4 * $k].y, w[4 * $k + 1].y), vec2f(w[4 * $k + 2].y, w[4 * $k + 3].y));
#endfor
  return out;
}

// In either half the lowest six bits, as 64 more.
fn six_bits(word: u32) -> vec2f {
  return above_64(word & 0x003f003fu);
}
fn above_64(numbers: u32) -> vec2f {
  return half_pair((numbers << 4u) + 0x54005400u);
}

// sums + scale * products, for both groups of each row from `first` on.
fn add_scaled(sums: Sums, products: Groups, first: u32, unit: u32) -> Sums {
  let superblocks = row_units() / 8u;
  let stride = row_units() / 2u + (superblocks + 1u) / 2u;
  let pair_at = first * stride + unit / 2u;
  let d_at = first * stride + row_units() / 2u + unit / 16u;
  let shift = unit % 2u * 8u;
  let odd = unit / 8u % 2u == 1u;
  var out: Sums;
#for i in 0..$rows
  {
    // scale + 128, as 256 more
    let bytes = half_pair((((scales[pair_at + $i * stride] >> shift) & 0x00ff00ffu) << 2u) + 0x5c005c00u);
    let pair = half_pair(scales[d_at + $i * stride]);
    let d = select(pair.x, pair.y, odd);
    let scale = fma(bytes, vec2f(d), vec2f(negative(d * 384.0)));
#for b in 0..$batch
    out[$i][$b] = fma(scale.x, products[$i][$b].x, fma(scale.y, products[$i][$b].y, sums[$i][$b]));
#endfor
  }
#endfor
  return out;
}

fn total(sum: f32) -> f32 {
  return sum * SCALE_UNIT;
}

// formats/q6_k for products with vectors: d * scale * (q - 32). In f16 weights are read as 1024 + q; a unit's two groups of 16,
// in the low and the high halves of the words, have scales and so products of their own.
#import parts/inputs
#import parts/scale_pair
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> high: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;

const STEPS = 1u;

fn begin(lane: u32, first: Firsts) {}

fn add_step(sums: Sums, first: u32, g: u32, unit: u32) -> Sums {
  var products: array<array<vec2f, BATCH>, GROUP>;
#for b in 0..$batch
  {
#if f16
    let start = input_sums($b, unit) * -1056.0;
#else
    let start = input_sums($b, unit) * -32.0;
#endif
#for i in 0..$group
    products[$i][$b] = start;
#endfor
  }
#endfor
  let at = first * row_units() + unit;
#for i in 0..$group
  let words$i = quants[at + $i * row_units()];
  let more$i = high[at + $i * row_units()];
#endfor
#for e in 0..2
  {
#for b in 0..$batch
#if f16
    let low$b = input_eight($b, unit * 4u + $e);
    let high$b = input_eight($b, unit * 4u + 2u + $e);
#else
    let low$b = array(input_four($b, unit * 8u + $e * 2u), input_four($b, unit * 8u + $e * 2u + 1u));
    let high$b = array(input_four($b, unit * 8u + $e * 2u + 4u), input_four($b, unit * 8u + $e * 2u + 5u));
#endif
#endfor
#for i in 0..$group
    {
      let a = words$i[$e * 2];
      let b = words$i[$e * 2 + 1];
      let c = more$i[$e];
      let q = array(
        a & SIX, (a >> 6u) & SIX, b & SIX, (b >> 6u) & SIX, c & SIX, (c >> 6u) & SIX,
        ((a >> 12u) & 0x000f000fu) | ((b >> 8u) & 0x00300030u), ((c >> 12u) & 0x000f000fu) | ((b >> 10u) & 0x00300030u));
#for k in 0..8
      let w$k = groups_of(q[$k]);
#endfor
#for b in 0..$batch
      {
#if f16
        products[$i][$b] = vec2f(
          add_eight(products[$i][$b].x, low$b, w0.x, w1.x, w2.x, w3.x, w4.x, w5.x, w6.x, w7.x),
          add_eight(products[$i][$b].y, high$b, w0.y, w1.y, w2.y, w3.y, w4.y, w5.y, w6.y, w7.y));
#else
        let low = add_four(products[$i][$b].x, vec4f(w0.x, w1.x, w2.x, w3.x), low$b[0]);
        let high = add_four(products[$i][$b].y, vec4f(w0.y, w1.y, w2.y, w3.y), high$b[0]);
        products[$i][$b] = vec2f(
          add_four(low, vec4f(w4.x, w5.x, w6.x, w7.x), low$b[1]), add_four(high, vec4f(w4.y, w5.y, w6.y, w7.y), high$b[1]));
#endif
      }
#endfor
    }
#endfor
  }
#endfor
  return add_scaled(sums, products, first, unit);
}

const SIX = 0x003f003fu;
#if f16
const SCALE_OFFSET = 1152.0;
#else
const SCALE_OFFSET = 128.0;
#endif

// The numbers in the low and the high half of a word, of the unit's first and second sixteen weights; in f16 1024 more.
fn groups_of(numbers: u32) -> vec2f {
#if f16
  return above_1024(numbers);
#else
  return vec2f(f32(numbers & 0xffffu), f32(numbers >> 16u));
#endif
}

#if f16
fn add_eight(sum: f32, columns: vec4<u32>, w0: f32, w1: f32, w2: f32, w3: f32, w4: f32, w5: f32, w6: f32, w7: f32) -> f32 {
  let first = add_pair(add_pair(sum, vec2f(w0, w1), columns.x), vec2f(w2, w3), columns.y);
  return add_pair(add_pair(first, vec2f(w4, w5), columns.z), vec2f(w6, w7), columns.w);
}
#endif

fn add_scaled(sums: Sums, products: array<array<vec2f, BATCH>, GROUP>, first: u32, unit: u32) -> Sums {
  let superblocks = row_units() / 8u;
  let stride = row_units() / 2u + (superblocks + 1u) / 2u;
  let pair_at = first * stride + unit / 2u;
  let d_at = first * stride + row_units() / 2u + unit / 16u;
  let shift = unit % 2u * 8u;
  let odd = unit / 8u % 2u == 1u;
  var out: Sums;
#for i in 0..$group
  {
    let word = scales[pair_at + $i * stride];
    let ds = scale_pair(scales[d_at + $i * stride]);
    let d = select(ds.x, ds.y, odd);
    let pair = groups_of((word >> shift) & 0x00ff00ffu);
    let both = fma(pair, vec2f(d), vec2f(negative(d * SCALE_OFFSET)));
#for b in 0..$batch
    out[$i][$b] = fma(both.x, products[$i][$b].x, fma(both.y, products[$i][$b].y, sums[$i][$b]));
#endfor
  }
#endfor
  return out;
}

fn total(sum: f32) -> f32 {
  return sum * SCALE_UNIT;
}

// formats/q4_k for products with vectors: d * scale * q - dmin * min. Scales as parts/q4_k_scales has them.
//
// A lane that takes every 8th, 16th or 32nd unit always has the same unit j of a superblock, hence the same words and bits
// of its scale and minimum (of the last unit's minimum from 16 lanes on), and only masks them: they are 2^s and 2^t too large, which `total` takes out at the end.
#import parts/nibble_products
#import parts/half
@group(0) @binding(1) var<storage, read> scales: array<vec4<u32>>;

struct Fields {
  header: u32,          // of the step's superblock: d, dmin
  minimum: u32,         // the word of its minimum; that of unit 7 is behind all superblocks and serves two
  minimum_stride: u32,
  scale_word: u32,      // behind the header
  scale_mask: u32,
  minimum_mask: u32,
  ratio: f32,           // 2^(s - t + 2): the products are of 4 * q
}
var<private> fields: Fields;

fn begin(unit: u32, first: u32) {
  let superblocks = row_units() / 8u;
  let j = unit % 8u;
  let last = j == 7u;
  let s = j % 5u * 6u;
  let t = select((j + 8u) % 5u * 6u, unit / 8u % 2u * 16u, last);
  let start = first / 4u * (superblocks * 4u + (superblocks + 1u) / 2u);
  let header = start + unit / 8u * 4u;
  fields.header = header;
  fields.minimum = select(header + 1u + (j + 8u) / 5u, start + superblocks * 4u + unit / 16u, last);
  fields.minimum_stride = select(LANES / 2u, LANES / 16u, last);
  fields.scale_word = 1u + j / 5u;
  fields.scale_mask = 63u << s;
  fields.minimum_mask = 63u << t;
  fields.ratio = bitcast<f32>((129u + s - t) << 23u);
}

fn add_step(sums: Sums, first: u32, unit: u32) -> Sums {
  var starts: array<f32, BATCH>;
  var columns: array<f32, BATCH>;
#for b in 0..$batch
  {
    let halves = input_sums($b, unit);
    starts[$b] = product_start(halves, 0.0);
    columns[$b] = (halves.x + halves.y) * fields.ratio;
  }
#endfor
  let products = nibble_products(starts, first, unit);
  let both = scales[fields.header];
  let scale_words = scales[fields.header + fields.scale_word];
  let minimum_words = scales[fields.minimum];
  var out: Sums;
#for i in 0..$rows
  {
    let pair = half_pair(both[$i]);
    let scale = pair.x * f32(scale_words[$i] & fields.scale_mask);
    let minimum = -pair.y * f32(minimum_words[$i] & fields.minimum_mask);
#for b in 0..$batch
    out[$i][$b] = fma(scale, products[$i][$b], fma(minimum, columns[$b], sums[$i][$b]));
#endfor
  }
#endfor
  fields.header += LANES / 2u;
  fields.minimum += fields.minimum_stride;
  return out;
}

fn total(sum: f32) -> f32 {
  let s = firstTrailingBit(fields.scale_mask);
  return sum * (bitcast<f32>((125u - s) << 23u) * SCALE_UNIT);
}

// Scales of the vector forms: one half a unit, times 1024 (parts/half), rows of them padded to whole words.
#import parts/half
#if f16
@group(0) @binding(1) var<storage, read> scales: array<f16>;
#else
@group(0) @binding(1) var<storage, read> scales: array<u32>;
#endif

// sums + scale * products, for the rows from `first` on.
fn add_scaled(sums: Sums, products: Sums, first: u32, unit: u32) -> Sums {
  var out: Sums;
  let words = (row_units() + 1u) / 2u;
#if f16
  let at = first * (words * 2u) + unit;
#else
  let at = first * words + unit / 2u;
#endif
#for i in 0..$rows
  {
#if f16
    let scale = f32(scales[at + $i * (words * 2u)]);
#else
    let scale = unpack2x16float(scales[at + $i * words] >> (unit % 2u * 16u)).x;
#endif
#for b in 0..$batch
    out[$i][$b] = fma(scale, products[$i][$b], sums[$i][$b]);
#endfor
  }
#endfor
  return out;
}

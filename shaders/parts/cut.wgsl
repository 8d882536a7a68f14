// The least weight that a pass keeps, ten bits at a time: from the histogram of weights by ten of their bits, the bin
// in which the sum from the top reaches the aim. The importing kernel has `word(i)`, which reads scratch.
#import parts/sampling
#import parts/scan

/// Bits of the threshold found so far, and the sum (tokens for top-k, weights for top-p) of what is above their bin.
struct Cut { threshold: u32, above: vec2u }
var<workgroup> found_cut: vec3u;

fn cut_at(row: u32, pass_index: u32) -> Cut {
  let at = row * ROW_WORDS + CUTS + pass_index * CUT_WORDS;
  return Cut(word(at), vec2u(word(at + 1u), word(at + 2u)));
}

fn aim_of(row: u32, pass_index: u32, top_k: u32, top_p: u32) -> vec2u {
  if pass_index < 3u {
    return vec2u(top_k, 0u);
  }
  let total = row * ROW_WORDS + HISTOGRAMS + 3u * HISTOGRAM_WORDS + BINS * 2u;
  let aim = wide_share(vec2u(word(total), word(total + 1u)), top_p, true);
  return select(aim, vec2u(1u, 0u), aim.x == 0u && aim.y == 0u);
}

/// The cut after a pass whose histogram is complete.
fn cut_after(row: u32, pass_index: u32, top_k: u32, top_p: u32, thread: u32) -> Cut {
  var before = Cut(0u, vec2u());
  if pass_index % 3u > 0u {
    before = cut_at(row, pass_index - 1u);
  }
  let aim = aim_of(row, pass_index, top_k, top_p);
  let histogram = row * ROW_WORDS + HISTOGRAMS + pass_index * HISTOGRAM_WORDS;
  // bins from the top: four a thread
  let top_bin = BINS - 1u - thread * 4u;
  var own = vec2u();
  for (var i = 0u; i < 4u; i++) {
    let bin = histogram + (top_bin - i) * 2u;
    own = wide_add(own, vec2u(word(bin), word(bin + 1u)));
  }
  let scan = workgroup_scan(own, thread);
  if thread == 0u {
    // bin 0 is not counted: it is what remains
    found_cut = vec3u(0u, wide_add(before.above, scan.total));
  }
  workgroupBarrier();
  var sum = wide_add(before.above, scan.before);
  if wide_less(sum, aim) && !wide_less(wide_add(sum, own), aim) {
    for (var i = 0u; i < 4u; i++) {
      let bin = histogram + (top_bin - i) * 2u;
      let next = wide_add(sum, vec2u(word(bin), word(bin + 1u)));
      if !wide_less(next, aim) {
        found_cut = vec3u(top_bin - i, sum);
        break;
      }
      sum = next;
    }
  }
  workgroupBarrier();
  let found = found_cut;
  workgroupBarrier();
  return Cut(before.threshold | (found.x << (20u - 10u * (pass_index % 3u))), found.yz);
}

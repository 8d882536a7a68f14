// The best of (key, index) pairs over the $threads threads of a workgroup (a multiple of 16): the largest key, then the lowest index.
var<workgroup> single_pairs: array<vec2u, $threads>;
var<workgroup> group_pairs: array<vec2u, $threads / 16>;
const NO_PAIR = vec2u(0u, 0xffffffffu);

/// Orders floats as whole numbers do; both zeros are one.
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  if (bits << 1u) == 0u {
    return 0x80000000u;
  }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn value_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key ^ 0x80000000u, (key >> 31u) == 1u));
}

fn is_better(a: vec2u, b: vec2u) -> bool {
  return a.x > b.x || (a.x == b.x && a.y < b.y);
}

fn workgroup_best(pair: vec2u, thread: u32) -> vec2u {
  single_pairs[thread] = pair;
  workgroupBarrier();
  if thread < $threads / 16 {
    var best = NO_PAIR;
    for (var i = thread * 16u; i < thread * 16u + 16u; i++) {
      let other = single_pairs[i];
      if is_better(other, best) {
        best = other;
      }
    }
    group_pairs[thread] = best;
  }
  workgroupBarrier();
  var best = NO_PAIR;
  for (var i = 0u; i < $threads / 16; i++) {
    if is_better(group_pairs[i], best) {
      best = group_pairs[i];
    }
  }
  workgroupBarrier();
  return best;
}

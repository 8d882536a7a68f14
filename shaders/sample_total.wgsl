// Last but one of the sampling kernels: the least weight that top-k, top-p and min-p together keep, and the kept
// weight of each chunk.
// Grid: x is the chunk of tokens, y the logit row.
#import parts/cut

@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read> settings: array<Settings>;
@group(0) @binding(2) var<storage, read_write> scratch: array<u32>;

fn word(i: u32) -> u32 {
  return scratch[i];
}

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let slot = wanted_row(group.y).slot;
  if slot == NO_SLOT || settings[slot].inverse_temperature == 0.0 {
    return;
  }
  let top_k = settings[slot].top_k;
  let top_p = settings[slot].top_p;
  let row = group.y * ROW_WORDS;
  var least = max(1u, settings[slot].least_weight);
  if top_k > 0u {
    least = max(least, cut_at(group.y, 2u).threshold);
  }
  if top_p != ALL_P {
    least = max(least, cut_after(group.y, 5u, top_k, top_p, thread).threshold);
  }
  var own = vec2u();
  for (var i = thread; i < CHUNK; i += THREADS) {
    let token = group.x * CHUNK + i;
    if token < VOCAB && scratch[row + token] >= least {
      own = wide_add(own, vec2u(scratch[row + token], 0u));
    }
  }
  let scan = workgroup_scan(own, thread);
  if thread == 0u {
    let partial = row + PARTIALS + group.x * PARTIAL_WORDS;
    scratch[partial + 5u] = scan.total.x;
    scratch[partial + 6u] = scan.total.y;
    if group.x == 0u {
      scratch[row + CUTS + PASSES * CUT_WORDS] = least;
    }
  }
}

// One pass towards the least weight that top-k (passes 0 to 2) or top-p (3 to 5) keeps: tokens, or weights, by ten bits
// of their weight, among those whose higher bits are the ones found before. Finds first what the pass before led to.
// Rows that need no pass leave at once. Bin 0 is not counted: it is what remains, and most tokens are in it.
// Grid: x is the chunk of tokens, y the logit row.
#import parts/cut

@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read> settings: array<Settings>;
@group(0) @binding(2) var<storage, read_write> scratch: array<atomic<u32>>;

const PASS = u32($pass);
const SHIFT = 20u - 10u * (PASS % 3u);
var<workgroup> bins: array<atomic<u32>, HISTOGRAM_WORDS>; // 64 bits a bin; bin BINS is the sum of all

fn word(i: u32) -> u32 {
  return atomicLoad(&scratch[i]);
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
  var cut = Cut(0u, vec2u());
#if pass >= 1
#if pass < 4
  let goes_on = top_k > 0u;
#else
  let goes_on = top_p != ALL_P;
#endif
  if goes_on {
    cut = cut_after(group.y, PASS - 1u, top_k, top_p, thread);
    if group.x == 0u && thread == 0u {
      let at = row + CUTS + (PASS - 1u) * CUT_WORDS;
      atomicStore(&scratch[at], cut.threshold);
      atomicStore(&scratch[at + 1u], cut.above.x);
      atomicStore(&scratch[at + 2u], cut.above.y);
    }
  }
#endif

  var least = 1u;
#if pass < 3
  if top_k == 0u {
    return;
  }
#else
  if top_p == ALL_P {
    return;
  }
  if top_k > 0u {
#if pass == 3
    least = max(1u, cut.threshold);
#else
    least = max(1u, cut_at(group.y, 2u).threshold);
#endif
  }
#endif
  for (var i = thread; i < CHUNK; i += THREADS) {
    let token = group.x * CHUNK + i;
    if token >= VOCAB {
      break;
    }
    let weight = word(row + token);
    if weight < least {
      continue;
    }
#if pass == 3
    add(BINS, weight);
#endif
#if pass != 0
#if pass != 3
    if (weight ^ cut.threshold) >> (SHIFT + 10u) != 0u {
      continue;
    }
#endif
#endif
    let bin = (weight >> SHIFT) % BINS;
    if bin > 0u {
#if pass < 3
      atomicAdd(&bins[bin * 2u], 1u);
#else
      add(bin, weight);
#endif
    }
  }
  workgroupBarrier();
  let histogram = row + HISTOGRAMS + PASS * HISTOGRAM_WORDS;
  for (var bin = thread; bin <= BINS; bin += THREADS) {
    merge(histogram + bin * 2u, vec2u(atomicLoad(&bins[bin * 2u]), atomicLoad(&bins[bin * 2u + 1u])));
  }
}

fn add(bin: u32, value: u32) {
  let before = atomicAdd(&bins[bin * 2u], value);
  if before + value < before {
    atomicAdd(&bins[bin * 2u + 1u], 1u);
  }
}

fn merge(at: u32, value: vec2u) {
  if value.x != 0u {
    let before = atomicAdd(&scratch[at], value.x);
    if before + value.x < before {
      atomicAdd(&scratch[at + 1u], 1u);
    }
  }
  if value.y != 0u {
    atomicAdd(&scratch[at + 1u], value.y);
  }
}

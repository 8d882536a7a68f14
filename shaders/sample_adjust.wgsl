// First of the sampling kernels: checks the logits, changes them by bias and penalties, and reduces each chunk.
// logits: f32 [logit row][vocab], rows `stride` apart. counts: [slot][vocab]; bit 31: the token is in the prompt, the
// bits below: how often it was generated. Repetition penalty: prompt and generated; the others: generated alone.
// Also clears the histograms, and with top_log_probs leaves each chunk's likeliest tokens of the unchanged logits.
// Grid: x is the chunk of tokens, y the logit row.
#import parts/sampling
#import parts/best
#import parts/workgroup_sum

@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> settings: array<Settings>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read_write> scratch: array<u32>;

const NOT_FINITE = 0x7f800000u;
const LOWEST = -1e30; // stands for a logit that is no number, so that all arithmetic stays finite
var<workgroup> biases: array<f32, CHUNK>;
var<workgroup> bad: atomic<u32>;

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let slot = wanted_row(group.y).slot;
  if slot == NO_SLOT {
    return;
  }
  let row = group.y * ROW_WORDS;
  let first = group.x * CHUNK;
  for (var i = group.x * THREADS + thread; i < PASSES * HISTOGRAM_WORDS; i += CHUNKS * THREADS) {
    scratch[row + HISTOGRAMS + i] = 0u;
  }
  for (var i = thread; i < CHUNK; i += THREADS) {
    biases[i] = 0.0;
  }
  workgroupBarrier();
  for (var i = thread; i < settings[slot].biases; i += THREADS) {
    let bias = settings[slot].bias[i];
    if bias.token >= first && bias.token - first < CHUNK {
      biases[bias.token - first] = bias.value;
    }
  }
  workgroupBarrier();

  let repetition = settings[slot].repetition;
  let frequency = settings[slot].frequency;
  let presence = settings[slot].presence;
  var raw_best = NO_PAIR;
  var best = NO_PAIR;
  for (var i = thread; i < CHUNK; i += THREADS) {
    let token = first + i;
    if token < VOCAB {
      let bits = logits[group.y * STRIDE + token];
      var logit = bitcast<f32>(bits);
      if (bits & NOT_FINITE) == NOT_FINITE {
        atomicStore(&bad, 1u);
        logit = LOWEST;
      }
      let raw_pair = vec2u(key_of(logit), token);
      if is_better(raw_pair, raw_best) {
        raw_best = raw_pair;
      }
      logit += biases[i];
      let count = counts[slot * VOCAB + token];
      if count != 0u {
        logit = select(logit * repetition, logit / repetition, logit > 0.0);
        let generated = count & 0x7fffffffu;
        logit -= frequency * f32(generated) + select(0.0, presence, generated > 0u);
      }
      scratch[row + token] = bitcast<u32>(logit);
      let pair = vec2u(key_of(logit), token);
      if is_better(pair, best) {
        best = pair;
      }
    }
  }
  raw_best = workgroup_best(raw_best, thread);
  best = workgroup_best(best, thread);
  let largest = value_of(raw_best.x);
  var sum = 0.0;
  for (var i = thread; i < CHUNK; i += THREADS) {
    if first + i < VOCAB {
      sum += exp(max(finite_logit(group.y, first + i) - largest, -80.0));
    }
  }
  sum = workgroup_sum(sum, thread);
  if thread == 0u {
    let partial = row + PARTIALS + group.x * PARTIAL_WORDS;
    scratch[partial] = raw_best.x;
    scratch[partial + 1u] = bitcast<u32>(sum);
    scratch[partial + 2u] = best.x;
    scratch[partial + 3u] = best.y;
    scratch[partial + 4u] = atomicLoad(&bad);
  }

  let top = min(settings[slot].top_log_probs, MAX_TOP);
  var last = raw_best;
  for (var n = 0u; n < top; n++) {
    if n > 0u {
      var next = NO_PAIR;
      for (var i = thread; i < CHUNK; i += THREADS) {
        if first + i < VOCAB {
          let pair = vec2u(key_of(finite_logit(group.y, first + i)), first + i);
          if is_better(last, pair) && is_better(pair, next) {
            next = pair;
          }
        }
      }
      last = workgroup_best(next, thread);
    }
    if thread == 0u {
      let candidate = row + CANDIDATES + (group.x * MAX_TOP + n) * 2u;
      scratch[candidate] = last.x;
      scratch[candidate + 1u] = last.y;
    }
  }
}

fn finite_logit(row: u32, token: u32) -> f32 {
  let bits = logits[row * STRIDE + token];
  return select(bitcast<f32>(bits), LOWEST, (bits & NOT_FINITE) == NOT_FINITE);
}

// Last of the sampling kernels: the token, its log probability under the unchanged logits, and the likeliest others.
// Greedy: the largest changed logit, of equal ones the lowest token. Else the first token at which the running sum of
// kept weights, in the order of tokens, passes random(seed, position of the new token) / 2^32 of their total.
// results: $resultWords words a logit row: token, flags (1: a logit was not finite), log probability, how many others,
// then (token, log probability) of each. sampled: [slot]. The token's count goes up by one.
// Grid: y is the logit row.
#import parts/sampling
#import parts/best
#import parts/scan
#import parts/workgroup_sum
#import parts/philox

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> settings: array<Settings>;
@group(0) @binding(3) var<storage, read> scratch: array<u32>;
@group(0) @binding(4) var<storage, read_write> counts: array<u32>;
@group(0) @binding(5) var<storage, read_write> sampled: array<u32>;
@group(0) @binding(6) var<storage, read_write> results: array<u32>;

const NOT_FINITE_FLAG = 1u;
var<workgroup> found: vec3u; // chunk, then token; what remains of the random sum

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let wanted = wanted_row(group.y);
  let slot = wanted.slot;
  if slot == NO_SLOT {
    return;
  }
  let row = group.y * ROW_WORDS;

  var raw_best = NO_PAIR;
  var best = NO_PAIR;
  var bad = 0.0;
  for (var i = thread; i < CHUNKS; i += THREADS) {
    let partial = row + PARTIALS + i * PARTIAL_WORDS;
    let raw_pair = vec2u(scratch[partial], i);
    if is_better(raw_pair, raw_best) {
      raw_best = raw_pair;
    }
    let pair = vec2u(scratch[partial + 2u], scratch[partial + 3u]);
    if is_better(pair, best) {
      best = pair;
    }
    bad += f32(scratch[partial + 4u]);
  }
  let largest = value_of(workgroup_best(raw_best, thread).x);
  best = workgroup_best(best, thread);
  bad = workgroup_sum(bad, thread);
  var sum = 0.0;
  for (var i = thread; i < CHUNKS; i += THREADS) {
    let partial = row + PARTIALS + i * PARTIAL_WORDS;
    sum += bitcast<f32>(scratch[partial + 1u]) * exp(max(value_of(scratch[partial]) - largest, -80.0));
  }
  let log_sum = log(workgroup_sum(sum, thread));

  var token = best.y;
  if settings[slot].inverse_temperature != 0.0 {
    token = draw(row, philox(settings[slot].seed, wanted.position + 1u), thread);
  }

  let result = group.y * $resultWords;
  let top = min(settings[slot].top_log_probs, MAX_TOP);
  var last = vec2u(0xffffffffu, 0u);
  for (var n = 0u; n < top; n++) {
    var next = NO_PAIR;
    for (var i = thread; i < CHUNKS * top; i += THREADS) {
      let candidate = row + CANDIDATES + (i / top * MAX_TOP + i % top) * 2u;
      let pair = vec2u(scratch[candidate], scratch[candidate + 1u]);
      if is_better(last, pair) && is_better(pair, next) {
        next = pair;
      }
    }
    last = workgroup_best(next, thread);
    if thread == 0u {
      results[result + 4u + n * 2u] = last.y;
      results[result + 5u + n * 2u] = bitcast<u32>(value_of(last.x) - largest - log_sum);
    }
  }

  if thread == 0u {
    sampled[slot] = token;
    results[result] = token;
    results[result + 1u] = select(0u, NOT_FINITE_FLAG, bad > 0.0);
    results[result + 2u] = bitcast<u32>(logits[group.y * STRIDE + token] - largest - log_sum);
    results[result + 3u] = min(top, VOCAB);
    if bad == 0.0 {
      counts[slot * VOCAB + token] += 1u;
    }
  }
}

/// Every thread gets the token.
fn draw(row: u32, random: u32, thread: u32) -> u32 {
  const CHUNKS_EACH = (CHUNKS + THREADS - 1u) / THREADS;
  var own = vec2u();
  for (var i = thread * CHUNKS_EACH; i < min((thread + 1u) * CHUNKS_EACH, CHUNKS); i++) {
    own = wide_add(own, kept(row, i));
  }
  var scan = workgroup_scan(own, thread);
  let aim = wide_share(scan.total, random, false);
  var running = scan.before;
  if !wide_less(aim, running) && wide_less(aim, wide_add(running, own)) {
    for (var i = thread * CHUNKS_EACH; i < min((thread + 1u) * CHUNKS_EACH, CHUNKS); i++) {
      let next = wide_add(running, kept(row, i));
      if wide_less(aim, next) {
        found = vec3u(i, running);
        break;
      }
      running = next;
    }
  }
  let chunk = workgroupUniformLoad(&found);

  let least = scratch[row + CUTS + PASSES * CUT_WORDS];
  let first = chunk.x * CHUNK + thread * EACH;
  own = vec2u();
  for (var i = first; i < first + EACH; i++) {
    own = wide_add(own, vec2u(kept_weight(row, i, least), 0u));
  }
  running = wide_add(chunk.yz, workgroup_scan(own, thread).before);
  if !wide_less(aim, running) && wide_less(aim, wide_add(running, own)) {
    for (var i = first; i < first + EACH; i++) {
      running = wide_add(running, vec2u(kept_weight(row, i, least), 0u));
      if wide_less(aim, running) {
        found.x = i;
        break;
      }
    }
  }
  return workgroupUniformLoad(&found).x;
}

fn kept(row: u32, chunk: u32) -> vec2u {
  let partial = row + PARTIALS + chunk * PARTIAL_WORDS;
  return vec2u(scratch[partial + 5u], scratch[partial + 6u]);
}

fn kept_weight(row: u32, token: u32, least: u32) -> u32 {
  if token >= VOCAB {
    return 0u;
  }
  let weight = scratch[row + token];
  return select(0u, weight, weight >= least);
}

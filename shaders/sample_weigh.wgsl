// Second of the sampling kernels: changed logits become weights, e^((l - largest) / temperature) in units of 2^-30.
// Grid: x is the chunk of tokens, y the logit row.
#import parts/sampling
#import parts/best

@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read> settings: array<Settings>;
@group(0) @binding(2) var<storage, read_write> scratch: array<u32>;

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let slot = wanted_row(group.y).slot;
  if slot == NO_SLOT || settings[slot].inverse_temperature == 0.0 {
    return;
  }
  let row = group.y * ROW_WORDS;
  var pair = NO_PAIR;
  for (var i = thread; i < CHUNKS; i += THREADS) {
    let partial = row + PARTIALS + i * PARTIAL_WORDS;
    let other = vec2u(scratch[partial + 2u], scratch[partial + 3u]);
    if is_better(other, pair) {
      pair = other;
    }
  }
  let largest = value_of(workgroup_best(pair, thread).x);
  for (var i = thread; i < CHUNK; i += THREADS) {
    let token = group.x * CHUNK + i;
    if token < VOCAB {
      let logit = bitcast<f32>(scratch[row + token]);
      let exponent = max((logit - largest) * settings[slot].inverse_temperature, -80.0);
      scratch[row + token] = min(u32(exp(exponent) * 1073741824.0 + 0.5), 0x3fffffffu);
    }
  }
}

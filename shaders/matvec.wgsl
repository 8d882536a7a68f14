// outputs[b][o] = sum over k of W[o][k] * x[b][k], for $batch rows b of activations at once and $outputs rows o of W a
// workgroup; which rows those are and what becomes of the sums is the epilogue's. Each word of W is loaded once for all b.
//
// $lanes lanes along k times groups of $rows rows of W, in $sweeps sweeps where a workgroup has not as many threads as the
// outputs want. A lane takes every $lanes-th step of columns, a unit or an eight as the format's part has it, so that
// neighbours load neighbouring 16 bytes. The order of a sum depends on the lanes alone, not on how many rows b there are
// nor on how many rows of W a thread takes.
//
// A format's part declares STEPS (steps a unit), `begin(lane, first)`, `add_step(sums, first, step)`, which adds the products
// of a step of columns with the $rows rows of W from `first` on to their sums, and `total(sum)`, what becomes of a sum at the end.
//
// An epilogue declares `weight_row(workgroup, output)`, the row of the planes of output 0, $rows, 2 * $rows ..., behind which
// the rows of the next outputs lie, and `finish(workgroup, thread)`, called by all threads when `outputs` is there.
#import parts/store
#import parts/row
#import parts/shape

const BATCH: u32 = $batch;
const OUTPUTS: u32 = $outputs;
const LANES: u32 = $lanes;
const ROWS: u32 = $rows;
const SWEEP: u32 = OUTPUTS / $sweeps; // outputs of a sweep
const THREADS: u32 = SWEEP / ROWS * LANES;

alias Sums = array<array<f32, BATCH>, ROWS>;

@group(0) @binding($xBinding) var<storage, read> x: array<vec4<u32>>;

var<workgroup> outputs: array<f32, BATCH * OUTPUTS>; // [b][o]
// Of one b and one sweep at a time: [o][lane], then the same with lanes joined by eights.
var<workgroup> partial: array<f32, SWEEP * LANES>;
var<workgroup> eights: array<f32, SWEEP * LANES / 8u>;

#import formats/vector/$formatName
#import $epilogue

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
#if sweeps == 1
  sweep(workgroup, thread, 0u);
#else
  for (var sweeps = OUTPUTS / SWEEP; sweeps > 0u; sweeps--) {
    sweep(workgroup, thread, (sweeps - 1u) * SWEEP);
  }
#endif
  workgroupBarrier();
  finish(workgroup, thread);
}

fn sweep(workgroup: vec3u, thread: u32, from_output: u32) {
  let lane = thread % LANES;
  let output = thread / LANES * ROWS;
  let first = weight_row(workgroup, from_output + output);
  var sums: Sums;
  begin(lane, first);
  var step = lane;
  // counted down: so the compiler sees that it ends, and adds no counter of its own
  for (var passes = (row_units() * STEPS + LANES - 1u - lane) / LANES; passes > 0u; passes--) {
    sums = add_step(sums, first, step);
    step += LANES;
  }
#for b in 0..$batch
  workgroupBarrier();
#for r in 0..$rows
  partial[(output + $r) * LANES + lane] = total(sums[$r][$b]);
#endfor
  join(thread, $b * OUTPUTS + from_output);
#endfor
}

// Each output's sum over all lanes.
fn join(thread: u32, to: u32) {
  workgroupBarrier();
  for (var i = thread; i < SWEEP * LANES / 8u; i += THREADS) {
    var sum = partial[i * 8u];
    for (var j = 1u; j < 8u; j++) {
      sum += partial[i * 8u + j];
    }
    eights[i] = sum;
  }
  workgroupBarrier();
  for (var i = thread; i < SWEEP; i += THREADS) {
    var sum = eights[i * (LANES / 8u)];
    for (var j = 1u; j < LANES / 8u; j++) {
      sum += eights[i * (LANES / 8u) + j];
    }
    outputs[to + i] = sum;
  }
}

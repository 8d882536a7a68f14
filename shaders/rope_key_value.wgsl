// Keys (RMS norm a head with headNorm, rotary embedding) and values of a batch into their pages.
// k, v: [row][kvHead][headSize], rows `stride` apart. keys, values: [page][kvHead][position in page][headSize].
// Rows of padding, and positions that no page of the slot holds, write nothing.
// Grid: x is the head of keys and values, y the row.
#import parts/step
#import parts/rotary
#import parts/pages

@group(0) @binding(0) var<storage, read> k: array<S>;
@group(0) @binding(1) var<storage, read> v: array<S>;
@group(0) @binding(2) var<storage, read> rope: array<vec2f>;
@group(0) @binding(3) var<storage, read> step: Step;
@group(0) @binding(4) var<storage, read> pages: array<u32>;
@group(0) @binding(5) var<storage, read_write> keys: array<S>;
@group(0) @binding(6) var<storage, read_write> values: array<S>;
#if headNorm
@group(0) @binding(7) var<storage, read> norm: array<f32>;
#endif

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = step.row[group.y];
  if row.slot == NO_SLOT || row.position >= PAGES_PER_SLOT * PAGE_POSITIONS {
    return;
  }
  let source = group.y * u32($stride) + group.x * HEAD_SIZE;
  let place = place_of(row.slot, row.position, group.x) * HEAD_SIZE;
  for (var d = thread; d < HEAD_SIZE; d += THREADS) {
    head[d] = f32(k[source + d]);
    values[place + d] = v[source + d];
  }
  workgroupBarrier();
#if headNorm
  normalize_head(thread);
#endif
  for (var d = thread; d < HEAD_SIZE; d += THREADS) {
    keys[place + d] = store(rotated(d, row.position));
  }
}

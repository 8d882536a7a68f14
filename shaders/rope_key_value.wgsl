// Keys (RMS norm a head with headNorm, rotary embedding) and values of a batch into their pages.
// k, v: [row][kvHead][headSize], rows `stride` apart. keys, values: blocks as parts/pages says.
// Rows of padding, and positions that no page of the slot holds, write nothing.
// Grid: x is the head of keys and values, y the row.
#import parts/step
#import parts/rotary
#import parts/key_value
#if q8
#import parts/workgroup_largest
#endif

@group(0) @binding(0) var<storage, read> k: array<S4>;
@group(0) @binding(1) var<storage, read> v: array<S4>;
@group(0) @binding(2) var<storage, read> rope: array<vec2f>;
@group(0) @binding(3) var<storage, read> step: Step;
@group(0) @binding(4) var<storage, read> pages: array<u32>;
@group(0) @binding(5) var<storage, read_write> keys: array<Quad>;
@group(0) @binding(6) var<storage, read_write> values: array<Quad>;
#if headNorm
@group(0) @binding(7) var<storage, read> norm: array<f32>;
#endif

const HEAD4: u32 = HEAD_SIZE / 4u;

/// Four dimensions of the rotated key; zeros beyond the head.
fn key_of(quad: u32, position: u32) -> vec4f {
  if quad >= HEAD4 {
    return vec4f();
  }
  let d = quad * 4u;
  return vec4f(rotated(d, position), rotated(d + 1u, position), rotated(d + 2u, position), rotated(d + 3u, position));
}

fn value_of(source: u32, quad: u32) -> vec4f {
  if quad >= HEAD4 {
    return vec4f();
  }
  return vec4f(v[source + quad]);
}

fn largest_of(x: vec4f) -> f32 {
  return max(max(x.x, x.y), max(x.z, x.w));
}

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = step.row[group.y];
  if row.slot == NO_SLOT || row.position >= PAGES_PER_SLOT * PAGE_POSITIONS {
    return;
  }
  let source = (group.y * $stride + group.x * HEAD_SIZE) / 4u;
  if thread < HEAD4 {
    let x = vec4f(k[source + thread]);
    head[thread * 4u] = x.x;
    head[thread * 4u + 1u] = x.y;
    head[thread * 4u + 2u] = x.z;
    head[thread * 4u + 3u] = x.w;
  }
  workgroupBarrier();
#if headNorm
  normalize_head(thread);
#endif
  let block = block_of(row.slot, row.position, group.x);
  let position = row.position % PAGE_POSITIONS;
  var key = key_of(thread, row.position); // a head has at most 64 quads
  var value = value_of(source, thread);
#if q8
  let inside = thread < HEAD4;
  let most = workgroup_largest(select(-1e30, largest_of(key), inside), thread);
  let least = -workgroup_largest(select(-1e30, largest_of(-key), inside), thread);
  let largest = workgroup_largest(largest_of(abs(value)), thread);
  let key_units = units_of(least, most);
  let value_units = units_of(-largest, largest);
  key = in_units(key, key_units);
  value = in_units(value, value_units);
  if thread == 0u {
    keys[scale_quad(block, position)] = key_units;
    values[scale_quad(block, position)] = value_units;
  }
#endif
  if thread < KEPT_DIMS / 4u {
    keys[key_quad(block, position, thread)] = pack_quad(key);
    values[value_quad(block, position, thread)] = pack_quad(value);
  }
}

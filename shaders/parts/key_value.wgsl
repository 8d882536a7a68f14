// Keys and values of single positions, four dimensions (a quad) at a time. The importing kernel binds `pages` and
// arrays of Quad. In 8 bits the units of a head are chosen first (units_of), and its numbers are packed in_units.
#import parts/store
#import parts/pages

#if q8
alias Quad = u32;
#else
alias Quad = S4;
#endif
const UNIT_QUADS: u32 = UNIT_DIMS / 4u;

/// Index of a quad of the key of a position (of its page).
fn key_quad(block: u32, position: u32, quad: u32) -> u32 {
  let unit = block * BLOCK_UNITS + quad / UNIT_QUADS * PAGE_POSITIONS + position;
  return unit * UNIT_QUADS + quad % UNIT_QUADS;
}

fn value_quad(block: u32, position: u32, quad: u32) -> u32 {
  return (block * BLOCK_UNITS + position * HEAD_UNITS) * UNIT_QUADS + quad;
}

#if q8
fn scale_quad(block: u32, position: u32) -> u32 {
  return (block * BLOCK_UNITS + HEAD_UNITS * PAGE_POSITIONS) * UNIT_QUADS + position;
}

fn in_units(x: vec4f, units: u32) -> vec4f {
  return (x - middle_in(units)) / scale_in(units);
}

/// Four numbers in their units. Dimensions 0 and 1 are the low bytes of the halves, 2 and 3 the high ones: one
/// mask then gives two that follow each other.
fn pack_quad(x: vec4f) -> Quad {
  let bytes = vec4u(vec4i(round(clamp(x, vec4f(-127.0), vec4f(127.0)))) + 128);
  return bytes.x | (bytes.y << 16u) | (bytes.z << 8u) | (bytes.w << 24u);
}
#else
fn pack_quad(x: vec4f) -> Quad {
  return store4(x);
}
#endif

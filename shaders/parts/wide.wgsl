// Whole numbers of 64 bits as vec2u(low, high).
fn wide_add(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn wide_less(a: vec2u, b: vec2u) -> bool {
  return a.y < b.y || (a.y == b.y && a.x < b.x);
}

/// All 64 bits of a * b.
fn wide_product(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a >> 16u) * (b & 0xffffu);
  let right = (a & 0xffffu) * (b >> 16u);
  let middle = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
  return vec2u(
    (low & 0xffffu) | (middle << 16u),
    (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (middle >> 16u));
}

/// a * b / 2^32, rounded down (`up` false) or up; below 2^64 for any a.
fn wide_share(a: vec2u, b: u32, up: bool) -> vec2u {
  let low = wide_product(a.x, b);
  let share = wide_add(wide_product(a.y, b), vec2u(low.y, 0u));
  return wide_add(share, vec2u(select(0u, 1u, up && low.x != 0u), 0u));
}

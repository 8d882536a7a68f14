// f32 to S; f16 has no room above 65504 and WGSL does not say what a larger value becomes, so it is clamped.
#import parts/storage
fn store(value: f32) -> S {
#if f16
  return f16(clamp(value, -65504.0, 65504.0));
#else
  return value;
#endif
}
fn store4(value: vec4f) -> S4 {
#if f16
  return vec4<f16>(clamp(value, vec4f(-65504.0), vec4f(65504.0)));
#else
  return value;
#endif
}

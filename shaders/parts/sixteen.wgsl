// Sixteen weights of a unit as a tile takes them, weights 8 * part ... 8 * part + 7 and 16 more: pairs of f16 as words, or f32.
#if f16
alias Sixteen = array<vec4<u32>, 2>;
#else
alias Sixteen = array<vec4f, 4>;
#endif

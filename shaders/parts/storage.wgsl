// How activations, keys and values lie in memory: S is f16 or f32. Arithmetic is f32.
#if f16
alias S = f16;
alias S4 = vec4<f16>;
#else
alias S = f32;
alias S4 = vec4<f32>;
#endif

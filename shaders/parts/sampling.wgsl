// What the sampling kernels share: settings, the layout of their scratch words, and where a row's settings are.
//
// A token's logit l is changed in this order (that of OpenAI's and vLLM's servers, not of llama.cpp, which puts the
// temperature last): bias, repetition, frequency and presence penalties, temperature, top-k, top-p, min-p.
// Its weight is e^((l - largest l) / temperature) in whole units of 2^-30: sums are exact and in any order the same, so
// the choice is. Top-k, top-p and min-p are each the least weight that is kept; equal weights are kept or left together.
#import parts/step

struct Bias { token: u32, value: f32 }
struct Settings {
  inverse_temperature: f32, // 0: greedy
  top_k: u32,               // 0: all
  top_p: u32,               // of 2^32; 0xffffffff: all
  least_weight: u32,        // min-p, of 2^30
  repetition: f32,
  frequency: f32,
  presence: f32,
  seed: u32,
  biases: u32,
  top_log_probs: u32,
  reserved0: u32,
  reserved1: u32,
  bias: array<Bias, $maxBiases>, // no token twice
}
const ALL_P = 0xffffffffu;

const VOCAB: u32 = $vocab;
const STRIDE: u32 = $stride;
const THREADS: u32 = $threads;
const CHUNK: u32 = $chunk;   // tokens of a workgroup
const CHUNKS: u32 = $chunks;
const EACH: u32 = CHUNK / THREADS;
const MAX_TOP: u32 = $maxTop;

// Scratch words of a row: STRIDE changed logits, then weights; partial results of each chunk; the likeliest tokens of
// each chunk; the cuts of the passes; a histogram a pass.
const PARTIAL_WORDS = 8u; // raw maximum, sum of e^(l - maximum), best key, best token, not finite, kept weight (2), unused
const PARTIALS = STRIDE;
const CANDIDATES = PARTIALS + CHUNKS * PARTIAL_WORDS;
const CUTS = CANDIDATES + CHUNKS * MAX_TOP * 2u;
const CUT_WORDS = 4u; // threshold, sum above it (2), unused
const PASSES = 6u;    // three of ten bits for top-k, three for top-p
const BINS = 1024u;
const HISTOGRAM_WORDS = BINS * 2u + 2u; // 64 bits a bin, then the sum of all
const HISTOGRAMS = CUTS + (PASSES + 1u) * CUT_WORDS;
const ROW_WORDS: u32 = $rowWords;
const_assert HISTOGRAMS + PASSES * HISTOGRAM_WORDS <= ROW_WORDS;

/// The row of the batch whose next token is the i-th wanted; its slot is NO_SLOT when there is none.
fn wanted_row(i: u32) -> Row {
  if i >= step.logit_rows {
    return Row(0u, 0u, NO_SLOT, 0u);
  }
  return step.row[step.logit_row[i]];
}

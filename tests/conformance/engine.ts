/** What conformance asks of an engine: Shoal's, llama.cpp's, or a model of either. */
export interface EngineUnderTest {
  /** Raw logits (before any sampling) after every token, each over the whole vocabulary. */
  logits(tokens: readonly number[]): Promise<Float32Array[]>;
  /** The `count` most likely next tokens, one after another; ends early after an end-of-generation token. */
  greedy(prompt: readonly number[], count: number): Promise<number[]>;
  close(): Promise<void>;
}

/** What conformance asks of an engine: Shoal's or llama.cpp's. */
export interface EngineUnderTest {
  /**
   * Raw logits (before any sampling) after every token, each over the whole vocabulary.
   * @param rowsAStep how many positions one step takes, where the engine can be told
   */
  logits(tokens: readonly number[], rowsAStep?: number): Promise<Float32Array[]>;
  /** The `count` most likely next tokens, one after another; ends early after an end-of-generation token. */
  greedy(prompt: readonly number[], count: number): Promise<number[]>;
  close(): Promise<void>;
}

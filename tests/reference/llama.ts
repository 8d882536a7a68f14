import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineUnderTest } from '../conformance/engine.ts';
import { ensureReference } from '../setup/reference.mjs';

const DEFAULT_CONTEXT_TOKENS = 512;
const SCRIPT = fileURLToPath(new URL('llama-process.mjs', import.meta.url));

/** llama.cpp on the CPU, one thread, float32 KV, no flash attention. Give it F32 files: see to-f32.ts. */
export class LlamaReference implements EngineUnderTest {
  readonly #process: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** Starts the process; a reason where llama.cpp cannot be had on this machine. */
  static async start(): Promise<LlamaReference | { readonly skipped: string }> {
    const found = await ensureReference();
    if ('skipped' in found) return found;
    const child = fork(SCRIPT, [found.dir], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const reference = new LlamaReference(child);
    await reference.#answer();
    return reference;
  }

  /** Loads a GGUF file in place of the one before. */
  open(path: string, contextTokens: number = DEFAULT_CONTEXT_TOKENS): Promise<void> {
    return this.#ask('open', path, contextTokens);
  }

  /** Raw logits after every token, over the whole vocabulary. */
  logits(tokens: readonly number[]): Promise<Float32Array[]> {
    return this.#ask('logits', tokens);
  }

  /** The most likely continuation: `count` tokens, or fewer where it ends with an end-of-generation token. */
  greedy(prompt: readonly number[], count: number): Promise<number[]> {
    return this.#ask('greedy', prompt, count);
  }

  /** Special tokens in the text are recognised; a beginning-of-text token is prepended where the file says so. */
  tokenize(text: string): Promise<number[]> {
    return this.#ask('tokenize', text);
  }

  detokenize(tokens: readonly number[]): Promise<string> {
    return this.#ask('detokenize', tokens);
  }

  async close(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
  }

  #ask<T>(action: string, ...args: unknown[]): Promise<T> {
    const answer = this.#last.then(() => {
      const next = this.#answer<T>();
      this.#process.send({ action, args });
      return next;
    });
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  #answer<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const child = this.#process;
      const ended = (code: number | null) => {
        child.off('message', answered);
        reject(new Error(`the reference process ended with ${code}`));
      };
      const answered = (message: unknown) => {
        child.off('exit', ended);
        const { value, error } = message as { value?: T; error?: string };
        if (error === undefined) resolve(value as T);
        else reject(new Error(`llama.cpp: ${error}`));
      };
      child.once('exit', ended);
      child.once('message', answered);
    });
  }
}

import type { Metadata } from '../weights/types.ts';

/** A vocabulary, from a checkpoint's metadata. */
export interface Tokenizer {
  readonly size: number;
  readonly bosToken: number | undefined;
  readonly eosToken: number | undefined;
  /** Tokens that end a turn: eos, eot, eom and their kin. */
  readonly endTokens: ReadonlySet<number>;
  /** Whether `encode` puts the beginning token first where it may add special tokens. */
  readonly addsBos?: boolean;
  /** What a person should know about this vocabulary, in a sentence. */
  readonly warning?: string;
  /**
   * @param options.addSpecial add bos/eos as the checkpoint asks
   * @param options.parseSpecial read `<|im_start|>` and the like as control tokens
   */
  encode(text: string, options: { readonly addSpecial: boolean; readonly parseSpecial: boolean }): Uint32Array;
  /** Bytes that a token stands for; empty for control tokens unless `special`. */
  tokenBytes(token: number, special?: boolean): Uint8Array;
  decode(tokens: ArrayLike<number>, special?: boolean): string;
}

export type CreateTokenizer = (metadata: Metadata) => Tokenizer;

export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** A piece of an answer, as it streams. Never half a character; never a part of a stop string. */
export interface TextPiece {
  readonly kind: 'answer' | 'reasoning';
  readonly text: string;
}

/** Turns tokens into pieces: UTF-8 across tokens, `<think>` folded away, stop strings held back. */
export interface AnswerStream {
  /** Pieces that this token completes; `stopped` when a stop token or stop string was met. */
  push(token: number): { readonly pieces: readonly TextPiece[]; readonly stopped: boolean };
  /** What was held back, at the end. */
  finish(): readonly TextPiece[];
}

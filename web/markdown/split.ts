import { Marked, type Token, type Tokens } from 'marked';

const marked = new Marked({ gfm: true });

/** A top-level piece of Markdown that is drawn by itself. */
export interface Block {
  readonly raw: string;
  readonly token: Token;
}

/** A growing list is cut once it is this long (characters), so that only its last entry is drawn again. */
const LONG_LIST = 1200;

/**
 * Markdown that grows at its end, cut into blocks. What stands before the last block cannot change any more and is
 * not read again, so that a step costs what the last block costs, however long the answer is.
 */
export class BlockSplitter {
  #settled: Block[] = [];
  #settledEnd = 0;
  #text = '';

  /** All blocks of `text`; those that were settled before are the same objects again. */
  split(source: string): readonly Block[] {
    const text = source.replaceAll('\r\n', '\n');
    if (!text.startsWith(this.#text)) this.#reset();
    this.#text = text;
    const open = this.#read(text.slice(this.#settledEnd));
    return [...this.#settled, ...open];
  }

  /** Settles all blocks but the last, and returns what may still change. */
  #read(tail: string): readonly Block[] {
    const blocks = asBlocks(marked.lexer(tail));
    let at = 0;
    for (const [index, block] of blocks.entries()) {
      // the reader rewrites a few odd texts ("1. " at the end); what it rewrote is read again at the next step
      if (index === blocks.length - 1 || !tail.startsWith(block.raw, at)) return this.#cutAtLength(blocks.slice(index));
      this.#settle(block);
      at += block.raw.length;
    }
    return [];
  }

  #cutAtLength(open: readonly Block[]): readonly Block[] {
    const [only] = open;
    const cut = only && open.length === 1 ? cutLongList(only) : undefined;
    if (!cut) return open;
    this.#settle(cut.head);
    return [cut.rest];
  }

  #settle(block: Block): void {
    this.#settled.push(block);
    this.#settledEnd += block.raw.length;
  }

  #reset(): void {
    this.#settled = [];
    this.#settledEnd = 0;
  }
}

/** Blank lines belong to the block before them. */
function asBlocks(tokens: readonly Token[]): readonly Block[] {
  const blocks: { raw: string; token: Token }[] = [];
  for (const token of tokens) {
    const last = blocks.at(-1);
    if (token.type === 'space' && last) last.raw += token.raw;
    else blocks.push({ raw: token.raw, token });
  }
  return blocks;
}

function cutLongList(block: Block): { readonly head: Block; readonly rest: Block } | undefined {
  if (block.token.type !== 'list' || block.raw.length < LONG_LIST) return undefined;
  const list = block.token as Tokens.List;
  const items = list.items.slice(0, -1);
  const headRaw = items.map((item) => item.raw).join('');
  if (items.length === 0 || !block.raw.startsWith(headRaw)) return undefined;
  const restRaw = block.raw.slice(headRaw.length);
  const rest = asBlocks(marked.lexer(restRaw));
  const [only] = rest;
  if (!only || rest.length !== 1 || only.token.type !== 'list') return undefined;
  return { head: { raw: headRaw, token: { ...list, raw: headRaw, items } }, rest: only };
}

/** A fenced block whose closing fence has come. */
export function isClosedCode(block: Block): boolean {
  const raw = block.raw.trimEnd();
  const fence = /^ {0,3}(`{3,}|~{3,})/.exec(raw)?.[1];
  return fence === undefined || (raw.length > fence.length && new RegExp(`\\n {0,3}${fence}$`).test(raw));
}

import { Marked, type RendererObject, type Tokens } from 'marked';
import { CodeBlock } from './code-block.ts';
import { sanitise } from './sanitise.ts';
import { type Block, BlockSplitter, isClosedCode } from './split.ts';

/** An answer's headings stand below the page's own, and none skips a level. */
const HEADING_SHIFT = 2;
const ANSWER_LEVEL = 2;
const DEEPEST_LEVEL = 6;
/** A slice of drawing work, milliseconds, before the window gets its turn. */
const SLICE_MS = 8;

const renderer: RendererObject<string, string> = {
  checkbox({ checked }) {
    return checked ? '☑ ' : '☐ ';
  },
};
const marked = new Marked<string, string>({ gfm: true, renderer });

interface Drawn {
  readonly block: Block;
  readonly element: HTMLElement;
  readonly code?: CodeBlock;
  /** Of a heading. */
  readonly level?: number;
}

/** Draws Markdown into an element and keeps it in step with a text that grows at its end. */
export class MarkdownDrawing {
  readonly #host: HTMLElement;
  readonly #splitter = new BlockSplitter();
  #drawn: Drawn[] = [];

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  /** Draws what is new. Resolves when all of it is there; long texts are drawn in slices. */
  async show(text: string, isCurrent: () => boolean): Promise<void> {
    const blocks = this.#splitter.split(text);
    let kept = 0;
    while (kept < blocks.length && this.#drawn[kept]?.block === blocks[kept]) kept += 1;
    let sliceEnd = performance.now() + SLICE_MS;
    for (let i = kept; i < blocks.length; i++) {
      this.#draw(i, blocks[i] as Block);
      if (performance.now() < sliceEnd) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (!isCurrent()) return;
      sliceEnd = performance.now() + SLICE_MS;
    }
    for (const surplus of this.#drawn.splice(blocks.length)) surplus.element.remove();
  }

  /** The text is complete: what waits for its end is finished. */
  finish(): void {
    const last = this.#drawn.at(-1);
    if (last?.code) last.code.finish((last.block.token as Tokens.Code).text);
  }

  #draw(index: number, block: Block): void {
    const before = this.#drawn[index];
    if (block.token.type === 'code') {
      const token = block.token as Tokens.Code;
      const code = before?.code ?? new CodeBlock(languageOf(token));
      code.language = languageOf(token);
      if (isClosedCode(block)) code.finish(token.text);
      else code.grow(token.text);
      this.#place(index, { block, element: code.element, code });
      return;
    }
    const element = before && !before.code ? before.element : document.createElement('div');
    element.className = `block ${block.token.type}`;
    const level = this.#headingLevel(index, block);
    const drawn = marked.parser([block.token]);
    element.replaceChildren(
      sanitise(level ? drawn.replace(/^<h\d/, `<h${level}`).replace(/\/h\d>\s*$/, `/h${level}>`) : drawn),
    );
    for (const pre of element.querySelectorAll('pre')) replaceCode(pre);
    for (const table of element.querySelectorAll('table')) wrapTable(table);
    this.#place(index, { block, element, ...(level ? { level } : {}) });
  }

  #headingLevel(index: number, { token }: Block): number | undefined {
    if (token.type !== 'heading') return undefined;
    const before = this.#drawn.slice(0, index).findLast(({ level }) => level !== undefined)?.level ?? ANSWER_LEVEL;
    return Math.min(DEEPEST_LEVEL, before + 1, (token as Tokens.Heading).depth + HEADING_SHIFT);
  }

  #place(index: number, drawn: Drawn): void {
    const before = this.#drawn[index];
    if (!before) this.#host.append(drawn.element);
    else if (before.element !== drawn.element) before.element.replaceWith(drawn.element);
    this.#drawn[index] = drawn;
  }
}

/** Code inside a list or a quotation gets the same frame. */
function replaceCode(pre: HTMLElement): void {
  const language = /(?:^|\s)language-(\S+)/.exec(pre.firstElementChild?.className ?? '')?.[1] ?? '';
  const code = new CodeBlock(language);
  code.finish((pre.textContent ?? '').replace(/\n$/, ''));
  pre.replaceWith(code.element);
}

function wrapTable(table: HTMLElement): void {
  const frame = document.createElement('div');
  frame.className = 'tableframe';
  frame.tabIndex = 0;
  table.replaceWith(frame);
  frame.append(table);
}

function languageOf(token: Tokens.Code): string {
  return /^[\w+#.-]+/.exec(token.lang ?? '')?.[0] ?? '';
}

import { Marked, type RendererObject, type Tokens } from 'marked';
import { CodeBlock } from './code-block.ts';
import { sanitise } from './sanitise.ts';
import { type Block, BlockSplitter, isClosedCode } from './split.ts';

/** An answer's headings stand below the page's own. */
const HEADING_SHIFT = 2;
/** A slice of drawing work, milliseconds, before the window gets its turn. */
const SLICE_MS = 8;

const renderer: RendererObject<string, string> = {
  heading({ tokens, depth }) {
    const level = Math.min(6, depth + HEADING_SHIFT);
    return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
  },
  checkbox({ checked }) {
    return checked ? '☑ ' : '☐ ';
  },
};
const marked = new Marked<string, string>({ gfm: true, renderer });

interface Drawn {
  readonly block: Block;
  readonly element: HTMLElement;
  readonly code?: CodeBlock;
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
      if (isClosedCode(block)) code.finish(token.text);
      else code.grow(token.text);
      this.#place(index, { block, element: code.element, code });
      return;
    }
    const element = before && !before.code ? before.element : document.createElement('div');
    element.className = `block ${block.token.type}`;
    element.replaceChildren(sanitise(marked.parser([block.token])));
    for (const pre of element.querySelectorAll('pre')) replaceCode(pre);
    for (const table of element.querySelectorAll('table')) wrapTable(table);
    this.#place(index, { block, element });
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

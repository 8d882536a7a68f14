import { chatWords } from '../words/chat.ts';
import { highlight } from './highlight.ts';

/** Code is laid out in pieces of this many lines: a line that is added moves its own piece only. */
const LINES_A_PIECE = 48;
const COPIED_MS = 2000;

/** A block of code with its language and a button that copies it. Grows cheaply while it is written. */
export class CodeBlock {
  readonly element = document.createElement('div');
  readonly #code = document.createElement('code');
  readonly #label = document.createElement('span');
  readonly #pre = document.createElement('pre');
  #language = '';
  #text = '';
  #pieceStart = 0;
  #piece: Text | undefined;

  constructor(language: string) {
    this.element.className = 'code';
    const header = document.createElement('header');
    header.append(this.#label, this.#copyButton());
    this.#pre.tabIndex = 0;
    this.#pre.setAttribute('role', 'region');
    this.#pre.append(this.#code);
    this.element.append(header, this.#pre);
    this.language = language;
  }

  /** The name after the fence, which may itself arrive in pieces. */
  set language(language: string) {
    this.#language = language;
    this.#label.textContent = chatWords.language(language);
    this.#pre.setAttribute('aria-label', chatWords.codeIn(language));
  }

  /** Takes the text so far; only what is new is touched while it grows at its end. */
  grow(text: string): void {
    if (!text.startsWith(this.#text)) {
      this.#code.replaceChildren();
      this.#pieceStart = 0;
      this.#piece = undefined;
    }
    this.#text = text;
    for (;;) {
      const rest = text.slice(this.#pieceStart);
      const cut = endOfLine(rest, LINES_A_PIECE);
      this.#piece ??= this.#newPiece();
      const mine = cut === -1 ? rest : rest.slice(0, cut);
      if (mine.startsWith(this.#piece.data)) this.#piece.appendData(mine.slice(this.#piece.data.length));
      else this.#piece.data = mine;
      if (cut === -1) return;
      this.#pieceStart += cut;
      this.#piece = undefined;
    }
  }

  /** The text is complete: colours. */
  finish(text: string): void {
    this.grow(text);
    const spans = highlight(text, this.#language);
    if (spans.length < 2) return;
    this.#code.replaceChildren(
      ...spans.map(({ kind, text: words }) => {
        if (kind === 'plain') return document.createTextNode(words);
        const span = document.createElement('span');
        span.className = `c-${kind}`;
        span.textContent = words;
        return span;
      }),
    );
  }

  #newPiece(): Text {
    const span = document.createElement('span');
    span.className = 'piece';
    const text = document.createTextNode('');
    span.append(text);
    this.#code.append(span);
    return text;
  }

  #copyButton(): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'btn';
    button.textContent = chatWords.copy;
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(this.#text);
      button.textContent = chatWords.copied;
      setTimeout(() => {
        button.textContent = chatWords.copy;
      }, COPIED_MS);
    });
    return button;
  }
}

/** Offset after the `lines`-th line end, or -1 when there are fewer. */
function endOfLine(text: string, lines: number): number {
  let at = 0;
  for (let i = 0; i < lines; i++) {
    at = text.indexOf('\n', at) + 1;
    if (at === 0) return -1;
  }
  return at;
}

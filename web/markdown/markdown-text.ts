import type { MarkdownDrawing } from './draw.ts';

/** Between two drawings of a growing text: at least this, and this many times what the last one took. */
const STEP_MS = 50;
const STEP_OVER_COST = 5;

let library: Promise<typeof import('./draw.ts')> | undefined;

/**
 * `<markdown-text>`: shows `text` as Markdown. The reader of Markdown is fetched when it is first needed; until then
 * the text stands as it is. While `writing`, drawing is paced so that the window stays free.
 */
export class MarkdownText extends HTMLElement {
  #text = '';
  #writing = false;
  #drawing: MarkdownDrawing | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = '';
  #version = 0;
  #nextAt = 0;

  set text(text: string) {
    if (text === this.#text) return;
    this.#text = text;
    this.#schedule();
  }

  set writing(writing: boolean) {
    if (writing === this.#writing) return;
    this.#writing = writing;
    this.classList.toggle('writing', writing);
    this.#schedule();
  }

  connectedCallback(): void {
    this.#schedule();
  }

  disconnectedCallback(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (!this.isConnected || this.#timer !== undefined) return;
    // until what is shown is what was given
    this.setAttribute('aria-busy', 'true');
    const wait = this.#writing ? Math.max(0, this.#nextAt - performance.now()) : 0;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#draw();
    }, wait);
  }

  async #draw(): Promise<void> {
    this.#version += 1;
    const version = this.#version;
    if (!this.#drawing) {
      if (this.#text !== '') this.#plain();
      library ??= import('./draw.ts');
      const { MarkdownDrawing } = await library;
      if (!this.#drawing) {
        this.replaceChildren();
        this.#shown = '';
        this.#drawing = new MarkdownDrawing(this);
      }
      if (version !== this.#version) return;
    }
    const text = this.#text;
    const began = performance.now();
    if (text !== this.#shown) await this.#drawing.show(text, () => version === this.#version);
    if (version !== this.#version) return;
    this.#shown = text;
    if (!this.#writing) this.#drawing.finish();
    const ended = performance.now();
    this.#nextAt = ended + Math.max(STEP_MS, (ended - began) * STEP_OVER_COST);
    if (this.#timer === undefined) this.removeAttribute('aria-busy');
    this.dispatchEvent(new Event('drawn', { bubbles: true }));
  }

  #plain(): void {
    const paragraph = document.createElement('p');
    paragraph.className = 'plain';
    paragraph.textContent = this.#text;
    this.replaceChildren(paragraph);
  }
}

customElements.define('markdown-text', MarkdownText);

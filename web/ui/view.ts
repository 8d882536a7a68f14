import { LitElement } from 'lit';
import type { Readable } from '../state/cell.ts';

/** A part of the page: drawn into the document itself, so that one set of styles holds; follows what it watches. */
export abstract class View extends LitElement {
  #stops: (() => void)[] = [];

  /** What it is drawn from. */
  protected abstract watched(): readonly Readable<unknown>[];

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stops = this.watched().map((cell) => cell.subscribe(() => this.requestUpdate()));
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }
}

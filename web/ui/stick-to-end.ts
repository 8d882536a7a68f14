/** This close to the end counts as at the end, CSS pixels. */
const NEAR = 48;

/**
 * Keeps a scroller at its end while something is written there, and leaves it alone as soon as the person scrolls up.
 * Only a person's own movement unsticks, never the growth of the content.
 */
export class StickToEnd {
  readonly #scroller: HTMLElement;
  readonly #onChange: (atEnd: boolean) => void;
  readonly #resize: ResizeObserver;
  #sticks = true;
  #lastTop = 0;

  constructor(scroller: HTMLElement, onChange: (atEnd: boolean) => void) {
    this.#scroller = scroller;
    this.#onChange = onChange;
    scroller.addEventListener('scroll', this.#onScroll, { passive: true });
    this.#resize = new ResizeObserver(() => this.follow());
    this.#resize.observe(scroller);
  }

  leave(): void {
    this.#scroller.removeEventListener('scroll', this.#onScroll);
    this.#resize.disconnect();
  }

  /** The content may have grown. */
  follow(): void {
    if (this.#sticks) this.#toEnd();
  }

  goToEnd(): void {
    this.#set(true);
    requestAnimationFrame(() => this.#toEnd());
  }

  #toEnd(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#lastTop = this.#scroller.scrollTop;
  }

  #onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const up = scrollTop < this.#lastTop - 1;
    this.#lastTop = scrollTop;
    if (scrollHeight - clientHeight - scrollTop <= NEAR) this.#set(true);
    else if (up) this.#set(false);
  };

  #set(sticks: boolean): void {
    if (sticks === this.#sticks) return;
    this.#sticks = sticks;
    this.#onChange(sticks);
  }
}

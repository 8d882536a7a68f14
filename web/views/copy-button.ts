import { html, type TemplateResult } from 'lit';
import { icon } from '../ui/icons.ts';
import { chatWords as words } from '../words/chat.ts';

const COPIED_MS = 2000;

/** Copies a text and says so for a moment. */
export function copyButton(text: string): TemplateResult {
  return html`<button
    type="button"
    class="ib"
    aria-label=${words.copy}
    title=${words.copy}
    @click=${(event: Event) => void copy(event.currentTarget as HTMLElement, text)}
  >
    ${icon('copy')}
  </button>`;
}

async function copy(button: HTMLElement, text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  button.setAttribute('aria-label', words.copied);
  button.classList.add('done');
  setTimeout(() => {
    button.setAttribute('aria-label', words.copy);
    button.classList.remove('done');
  }, COPIED_MS);
}

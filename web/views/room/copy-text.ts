import { html, type TemplateResult } from 'lit';
import { icon } from '../../ui/icons.ts';
import { roomWords as words } from '../../words/room.ts';

const COPIED_MS = 2000;

/** A button that copies a text and says so for a moment. */
export function copyText(text: string, label: string): TemplateResult {
  return html`<button type="button" class="btn" @click=${(event: Event) => void copy(event.currentTarget as HTMLElement, text, label)}>
    ${icon('copy')}<span aria-live="polite">${label}</span>
  </button>`;
}

async function copy(button: HTMLElement, text: string, label: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  const said = button.querySelector('span');
  if (!said) return;
  said.textContent = words.copied;
  setTimeout(() => {
    said.textContent = label;
  }, COPIED_MS);
}

import { html, render } from 'lit';
import { shellWords } from '../words/shell.ts';

/** Asks before something is gone for good. Resolves true when the person agrees. */
export function confirmWith(question: string, agree: string): Promise<boolean> {
  const dialog = document.createElement('dialog');
  dialog.className = 'sheet';
  dialog.setAttribute('aria-label', question);
  const answer = (value: string) => () => dialog.close(value);
  render(
    html`<p>${question}</p>
      <div class="row end">
        <button type="button" class="btn" @click=${answer('')} autofocus>${shellWords.cancel}</button>
        <button type="button" class="btn bad" @click=${answer('yes')}>${agree}</button>
      </div>`,
    dialog,
  );
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close('');
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}

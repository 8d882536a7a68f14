import { html, nothing, type TemplateResult } from 'lit';
import type { ShoalError } from '../state/errors.ts';
import { modelWords as words } from '../words/models.ts';

/** The next step that an error names, as a way to get there. */
export function errorActions(error: ShoalError): TemplateResult | typeof nothing {
  switch (error.remedy) {
    case 'ask-person':
      if (error.details.gated === true) return html`<a class="btn" href="#/settings/hub">${words.token}</a>`;
      if (error.details.redirectHidden === true) return html`<a class="btn" href="#/settings/hub">${words.mirror}</a>`;
      return nothing;
    case 'retry':
      if (error.details.hubUnreachable === true)
        return html`<a class="btn bare" href="#/settings/hub">${words.mirror}</a>`;
      return nothing;
    case 'free-storage':
      return html`<a class="btn" href="#/settings/storage">${words.storage}</a>`;
    case 'free-memory':
      return html`<a class="btn" href="#/settings/memory">${words.memorySetting}</a>`;
    default:
      return nothing;
  }
}

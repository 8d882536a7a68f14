import { html, nothing, svg, type TemplateResult } from 'lit';
import { until } from 'lit/directives/until.js';

/** Modules of white around the code, as readers want them. */
const BORDER = 4;
let known: { readonly text: string; readonly picture: Promise<TemplateResult> } | undefined;

/** A text as a QR code. White in the dark theme, too: many readers know dark on light alone. */
export function qrCode(text: string, label: string): TemplateResult {
  if (known?.text !== text) known = { text, picture: draw(text) };
  return html`<div class="qr" role="img" aria-label=${label}>${until(known.picture, nothing)}</div>`;
}

async function draw(text: string): Promise<TemplateResult> {
  const { encodeQR } = await import('qr');
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: BORDER });
  let path = '';
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue;
      const from = x;
      while (row[x + 1]) x++;
      path += `M${from} ${y}h${x - from + 1}v1H${from}z`;
    }
  }
  const size = rows.length;
  return html`<svg viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges" aria-hidden="true">
    ${svg`<rect width=${size} height=${size} fill="#fff" /><path d=${path} fill="#000" />`}
  </svg>`;
}

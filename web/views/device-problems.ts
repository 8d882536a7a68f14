import { html, type TemplateResult } from 'lit';
import type { DeviceReport } from '../../worker/api.ts';
import { icon } from '../ui/icons.ts';
import { PROBLEMS } from '../words/problems.ts';

/** Each trouble of this device: what it is, what it means, what to do. */
export function deviceProblems(report: DeviceReport): readonly TemplateResult[] {
  return report.problems.map((problem) => {
    const { weight, what, means, todo } = PROBLEMS[problem];
    const tone = weight === 'stop' ? 'bad' : weight === 'slow' ? 'warn' : 'plain';
    return html`<div class="line ${tone}" data-problem=${problem}>
      ${icon(weight === 'note' ? 'info' : 'warn')}
      <div><p><b>${what}</b> ${means}</p><p>${todo}</p></div>
    </div>`;
  });
}

/** What the browser tells of the GPU, in one line; empty when it tells nothing. */
export function gpuName(report: DeviceReport): string {
  const { vendor, architecture, description } = report.adapter;
  if (description) return description;
  return [vendor, architecture]
    .filter(Boolean)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ');
}

import { html, type TemplateResult } from 'lit';

/** Line icons, 20 by 20, drawn with the colour of their text. */
const PATHS = {
  chat: 'M4 4.5h12a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H9l-4 3v-3H4a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1Z',
  models: 'm10 3 7 3.5-7 3.5-7-3.5L10 3ZM3 10l7 3.5 7-3.5M3 13.5 10 17l7-3.5',
  settings: 'M3 6h7M14 6h3M3 14h3M10 14h7M14 6a2 2 0 1 1-4 0 2 2 0 0 1 4 0ZM10 14a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z',
  compose:
    'M9 4H5a1.5 1.5 0 0 0-1.5 1.5V15A1.5 1.5 0 0 0 5 16.5h9.5A1.5 1.5 0 0 0 16 15v-4M8.5 11.5l.4-2L15 3.4l1.6 1.6-6.1 6.1-2 .4Z',
  list: 'M3.5 6h13M3.5 10h13M3.5 14h9',
  search: 'M14 9A5 5 0 1 1 4 9a5 5 0 0 1 10 0ZM13 13l4 4',
  file: 'M5 3.5h6l4 4v9H5v-13ZM11 3.5v4h4',
  check: 'm4 10.5 4 4 8-9',
  warn: 'M10 3.5 17.5 16.5h-15L10 3.5ZM10 8.5v4M10 14.7v.1',
  info: 'M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0ZM10 9v4.5M10 6.4v.1',
  close: 'm5 5 10 10M15 5 5 15',
  pause: 'M7 5v10M13 5v10',
  play: 'M7 4.5v11l8.5-5.5L7 4.5Z',
  down: 'm5 8 5 5 5-5',
  right: 'm8 5 5 5-5 5',
  left: 'm12 5-5 5 5 5',
  up: 'M10 16V4.5M5 9l5-5 5 5',
  toEnd: 'M10 4v11.5M5 11l5 5 5-5',
  copy: 'M8.5 7h6.5a1.5 1.5 0 0 1 1.5 1.5V15a1.5 1.5 0 0 1-1.5 1.5H8.500A1.5 1.5 0 0 1 7 15V8.500A1.5 1.5 0 0 1 8.500 7ZM13 7V4.5A1 1 0 0 0 12 3.500H4.500a1 1 0 0 0-1 1V12a1 1 0 0 0 1 1H7',
  edit: 'M4 16l.7-3.3L13 4.4a1.4 1.4 0 0 1 2 0l.6.6a1.4 1.4 0 0 1 0 2L7.3 15.3 4 16Z',
  again: 'M15.5 7A6.5 6.5 0 1 0 16.500 11M16 3v4h-4',
  lock: 'M6 9h8a1.5 1.5 0 0 1 1.5 1.5v5A1.5 1.5 0 0 1 14 17H6a1.5 1.5 0 0 1-1.5-1.5v-5A1.5 1.5 0 0 1 6 9ZM7 9V6.500a3 3 0 0 1 6 0V9',
  download: 'M10 3.5V13M5.5 9 10 13.5 14.5 9M4 16.500h12',
  offline:
    'M4 10.5a8.500 8.500 0 0 1 3-2M16 10.500a8.500 8.500 0 0 0-5-2.400M7 13.500a4.500 4.500 0 0 1 6 0M10 16.500v.1M3.500 3.500l13 13',
  bin: 'M4 6h12M8 6V4h4v2M6 6l.7 10.500h6.600L14 6M8.800 9v4.500M11.200 9v4.500',
  back: 'M16 10H4.500M9 5l-5 5 5 5',
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName, small = false): TemplateResult {
  return html`<svg class=${small ? 'i s' : 'i'} viewBox="0 0 20 20" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

export const stopIcon = html`<svg class="i" viewBox="0 0 20 20" aria-hidden="true">
  <rect class="solid" x="6" y="6" width="8" height="8" rx="1.5" />
</svg>`;

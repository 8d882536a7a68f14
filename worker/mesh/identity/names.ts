/** Characters of a device's name at most. */
export const MAX_NAME_CHARACTERS = 40;

type Ranges = readonly (readonly [number, number])[];

/**
 * Control and formatting characters (that turn text around or have no width), blanks that are letters, private use, lone
 * halves. Written out, since Unicode's classes grow and two browsers have to agree on what is valid.
 */
const UNPRINTABLE: Ranges = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  [0xd800, 0xf8ff],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xffff],
  [0x1d173, 0x1d17a],
  [0xe0000, 0x10ffff],
];
const MARKS: Ranges = [
  [0x300, 0x36f],
  [0x483, 0x489],
  [0x1ab0, 0x1aff],
  [0x1dc0, 0x1dff],
  [0x20d0, 0x20ff],
  [0xfe20, 0xfe2f],
];
const UNPRINTABLE_CHARACTERS = new RegExp(oneOf(UNPRINTABLE), 'gu');
/** More than two marks on one character are drawn over the lines around. */
const STACKED_MARKS = new RegExp(`(${oneOf(MARKS)}{2})${oneOf(MARKS)}+`, 'gu');

/** Whether a name that came from a peer may be shown: 1 to 40 printable characters, single spaces inside only. */
export function isName(name: string): boolean {
  return name !== '' && name.length <= 2 * MAX_NAME_CHARACTERS && cleaned(name) === name;
}

/** The nearest valid name to what a person typed; `otherwise` if nothing is left. */
export function cleanName(text: string, otherwise: string): string {
  return cleaned(text.slice(0, 1000).normalize('NFC')) || otherwise;
}

function cleaned(text: string): string {
  const printable = text.replace(/\s+/gu, ' ').replace(UNPRINTABLE_CHARACTERS, '').replace(STACKED_MARKS, '$1');
  const single = printable.replace(/ +/g, ' ').trim();
  return [...single].slice(0, MAX_NAME_CHARACTERS).join('').trim();
}

function oneOf(ranges: Ranges): string {
  const escaped = ranges.map((range) => range.map((code) => `\\u{${code.toString(16)}}`).join('-'));
  return `[${escaped.join('')}]`;
}

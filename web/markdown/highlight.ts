/**
 * A light reading of code for its colours: comments, strings, numbers and the words that most languages share. One
 * pass of one expression over text, no grammar; what it does not know stays plain.
 */
export interface Span {
  readonly kind: 'plain' | 'keyword' | 'string' | 'number' | 'comment' | 'name';
  readonly text: string;
}

/** Longer code stays plain: colours are not worth a long task. */
const LONGEST = 20_000;

const KEYWORDS = new Set(
  (
    'abstract and as async await begin bool boolean break case catch char class const continue def default defer del delete do double elif else ' +
    'end enum except export extends extern false False final finally float fn for foreach from func function global go if ' +
    'impl implements import in include int interface is lambda let local long loop match mod module mut namespace new nil none None not ' +
    'null or package pass private protected pub public raise return self Self short sizeof static struct super switch ' +
    'template then this throw throws trait true True try type typedef typeof union unless unsigned until use using var void when ' +
    'where while with yield SELECT FROM WHERE INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE JOIN LEFT INNER ON ' +
    'GROUP BY ORDER LIMIT AND OR NOT NULL AS'
  ).split(' '),
);
const HASH_COMMENTS = new Set([
  'python',
  'py',
  'ruby',
  'rb',
  'bash',
  'sh',
  'shell',
  'zsh',
  'yaml',
  'yml',
  'toml',
  'r',
  'perl',
  'makefile',
  'dockerfile',
  'ini',
  '',
]);
const DASH_COMMENTS = new Set(['sql', 'lua', 'haskell', 'hs', 'elm']);
const PLAIN = new Set(['text', 'txt', 'plain', 'plaintext', 'markdown', 'md', 'diff', 'console', 'output']);

export function highlight(code: string, language: string): readonly Span[] {
  const name = language.toLowerCase();
  if (PLAIN.has(name) || code.length > LONGEST) return [{ kind: 'plain', text: code }];
  const spans: Span[] = [];
  let end = 0;
  for (const match of code.matchAll(pattern(name))) {
    if (match.index > end) spans.push({ kind: 'plain', text: code.slice(end, match.index) });
    const text = match[0];
    spans.push({ kind: kindOf(match.groups ?? {}, text), text });
    end = match.index + text.length;
  }
  if (end < code.length) spans.push({ kind: 'plain', text: code.slice(end) });
  return spans;
}

function kindOf(groups: Readonly<Record<string, string | undefined>>, text: string): Span['kind'] {
  if (groups.comment !== undefined) return 'comment';
  if (groups.string !== undefined) return 'string';
  if (groups.number !== undefined) return 'number';
  if (groups.called !== undefined) return KEYWORDS.has(text) ? 'keyword' : 'name';
  return KEYWORDS.has(text) ? 'keyword' : 'plain';
}

function pattern(language: string): RegExp {
  const comments = ['\\/\\*[^]*?(?:\\*\\/|$)', '<!--[^]*?(?:-->|$)'];
  if (HASH_COMMENTS.has(language)) comments.push('#[^\\n]*');
  else if (DASH_COMMENTS.has(language)) comments.push('--[^\\n]*');
  else comments.push('\\/\\/[^\\n]*');
  const strings = [
    '"""[^]*?(?:"""|$)',
    "'''[^]*?(?:'''|$)",
    '"(?:\\\\.|[^"\\\\\\n])*"',
    "'(?:\\\\.|[^'\\\\\\n])*'",
    '`(?:\\\\.|[^`\\\\])*`',
  ];
  return new RegExp(
    `(?<comment>${comments.join('|')})|(?<string>${strings.join('|')})` +
      '|(?<number>\\b\\d[\\d_]*(?:\\.\\d+)?(?:[eE][+-]?\\d+)?\\b)|(?<called>[A-Za-z_]\\w*(?=\\())|(?<word>[A-Za-z_]\\w*)',
    'g',
  );
}

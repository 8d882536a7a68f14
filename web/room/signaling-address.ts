/**
 * The origin of the signaling server that the page names, where another than its own introduces devices:
 * `<meta name="shoal-signaling" content="https://…">`. Undefined where it names none that is an address.
 */
export function signalingElsewhere(page: Pick<Document, 'querySelector'>): string | undefined {
  const named = page.querySelector<HTMLMetaElement>('meta[name="shoal-signaling"]')?.content.trim() ?? '';
  const url = URL.parse(named);
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url.origin : undefined;
}

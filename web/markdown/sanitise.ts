import DOMPurify from 'dompurify';

/**
 * An answer is a stranger's text: what it draws is limited to what is listed here, its links lead out only when they
 * are followed, and its images load nothing but data that they carry themselves.
 */
const ALLOWED_TAGS = [
  ...['p', 'br', 'hr', 'strong', 'b', 'em', 'i', 'del', 's', 'sub', 'sup', 'kbd', 'mark', 'blockquote', 'a', 'img'],
  ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'pre', 'code', 'details', 'summary'],
  ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
];
const ALLOWED_ATTR = ['href', 'title', 'src', 'alt', 'start', 'align', 'class', 'colspan', 'rowspan'];
const LINK = /^(?:https?:\/\/|mailto:)/i;
const CARRIED_IMAGE = /^(?:data:image\/(?:png|jpeg|gif|webp|avif);|blob:)/i;

const purify = DOMPurify(window);

purify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    if (!LINK.test(node.getAttribute('href') ?? '')) node.removeAttribute('href');
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  } else if (node.tagName === 'IMG') {
    const source = node.getAttribute('src') ?? '';
    if (!CARRIED_IMAGE.test(source)) {
      node.removeAttribute('src');
      node.setAttribute('data-elsewhere', source);
    }
  }
  if (node.tagName !== 'CODE') node.removeAttribute('class');
});

/** The HTML as nodes that are safe to show; images from elsewhere have become links. */
export function sanitise(html: string): DocumentFragment {
  const fragment = purify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const image of fragment.querySelectorAll('img')) {
    const elsewhere = image.dataset.elsewhere;
    if (elsewhere !== undefined) image.replaceWith(imageLink(elsewhere, image.alt));
  }
  return fragment;
}

function imageLink(address: string, description: string): Node {
  const words = description || address;
  if (!LINK.test(address)) return document.createTextNode(words);
  const link = document.createElement('a');
  link.href = address;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  link.textContent = words;
  return link;
}

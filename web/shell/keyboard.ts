/** Less of the window than this is left when an on-screen keyboard is open. */
const KEYBOARD_SHARE = 0.75;

/**
 * Safari draws the on-screen keyboard over the page without telling the layout: the visible height is passed to the
 * styles, and the tabs go away while there is little of it.
 */
export function followKeyboard(): void {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const settle = () => {
    const open = viewport.height < KEYBOARD_SHARE * window.screen.height && viewport.height < window.innerHeight;
    const root = document.documentElement;
    root.toggleAttribute('data-keyboard', open);
    if (open) root.style.setProperty('--visible', `${viewport.height}px`);
    else root.style.removeProperty('--visible');
  };
  viewport.addEventListener('resize', settle);
}

// What is wider or taller than its place can be reached and scrolled by keyboard, while it is.

const SCROLLERS = ".gm-scroll, .gm-flow, .gm-listing, .gm-plain, .gm-code pre";
const SCROLLING_KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

/**
 * Whether some of an element's content is out of its sight.
 * @param {{scrollWidth: number, clientWidth: number, scrollHeight: number, clientHeight: number}} part
 */
export function isCut(part) {
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = part;
  return clientWidth > 0 && (scrollWidth > clientWidth + 1 || scrollHeight > clientHeight + 1);
}

/**
 * Makes the parts of a panel that scroll stops of the Tab key, and only as long as they do scroll.
 * @param {HTMLElement} root what is put into it later is watched too
 * @param {string} label what a screen reader says of such a part
 * @param {AbortSignal} signal takes the listeners away
 */
export function watchScrolling(root, label, signal) {
  /** @param {Element} part */
  const fit = (part) => {
    const needed = isCut(part) && !part.querySelector("button, input, a[href], [tabindex='0']");
    if (needed === part.hasAttribute("data-scrolls")) return;
    part.toggleAttribute("data-scrolls", needed);
    const told = { tabindex: "0", role: "group", "aria-label": label };
    for (const [name, value] of Object.entries(told)) {
      if (needed) part.setAttribute(name, value);
      else part.removeAttribute(name);
    }
  };
  const sizes = new ResizeObserver((entries) => {
    for (const part of new Set(entries.map(({ target }) => target.closest(SCROLLERS)))) if (part) fit(part);
  });
  /** @param {Element} within */
  const watch = (within) => {
    const found = [...within.querySelectorAll(SCROLLERS)];
    if (within.matches(SCROLLERS)) found.push(within);
    for (const part of found) for (const one of [part, ...part.children]) sizes.observe(one);
  };
  const added = new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node instanceof Element) watch(node);
    }
  });
  watch(root);
  added.observe(root, { childList: true, subtree: true });
  // JupyterLab and Notebook 7 take arrow keys for their cells, in the capturing phase of the
  // document. The window comes before it.
  window.addEventListener("keydown", (event) => {
    const part = event.target;
    if (!(part instanceof Element) || !part.hasAttribute("data-scrolls") || !root.contains(part)) return;
    if (SCROLLING_KEYS.includes(event.key)) event.stopPropagation(); // it scrolls by itself
  }, { capture: true, signal });
  signal.addEventListener("abort", () => {
    sizes.disconnect();
    added.disconnect();
  });
}

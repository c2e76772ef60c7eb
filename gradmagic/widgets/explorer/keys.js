// What the keys do. The whole explorer can be used with them alone.

/** @typedef {"node" | "search" | "slider" | "field" | "button" | "other"} Place where the focus is */

/** What keys do anywhere but in a field. */
const ANYWHERE = /** @type {Record<string, string>} */ ({
  "/": "search", "?": "help", "+": "larger", "=": "larger", "-": "smaller", "0": "fit", "1": "full",
  n: "next-step", p: "previous-step", f: "window", o: "open-all", c: "close-all", "[": "previous-time",
  "]": "next-time", Escape: "leave",
});
const AT_NODE = /** @type {Record<string, string>} */ ({
  ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", Enter: "details",
  " ": "toggle", Home: "first-node", End: "last-node",
});
const IN_SEARCH = /** @type {Record<string, string>} */ ({
  Enter: "visit-next", ArrowDown: "next-found", ArrowUp: "previous-found", Escape: "clear-search",
});

/**
 * What a key is to do.
 * @param {{key: string, shiftKey?: boolean, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event
 * @param {Place} place
 * @returns {string | null} null: whatever it does by itself
 */
export function nameAct(event, place) {
  const { key, shiftKey } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (place === "search") return key === "Enter" && shiftKey ? "visit-previous" : IN_SEARCH[key] ?? null;
  if (place === "field") return key === "Escape" ? "leave" : null;
  if (place === "node") {
    if (shiftKey && key.startsWith("Arrow")) return `pan-${key.slice(5).toLowerCase()}`;
    if (AT_NODE[key] && !shiftKey) return AT_NODE[key];
  }
  if (place === "button" && (key === "Enter" || key === " ")) return null;
  return ANYWHERE[key] ?? null;
}

/**
 * @param {Element} focused
 * @returns {Place}
 */
export function namePlace(focused) {
  if (focused.closest(".gm-stage [data-node]")) return "node";
  if (focused.matches("input.gm-seek")) return "search";
  if (focused.matches("input[type=range]")) return "slider";
  if (focused.matches("input, select, textarea")) return "field";
  return focused.matches("button, summary, a") ? "button" : "other";
}

/**
 * Listens to the keys that are pressed inside an element. JupyterLab and Notebook 7 take arrow keys,
 * Enter and letters for their cells, in the capturing phase of the document: the window comes before.
 * @param {HTMLElement} root
 * @param {(act: string, focused: Element) => boolean} perform whether it did something
 * @param {AbortSignal} signal
 */
export function listenToKeys(root, perform, signal) {
  window.addEventListener("keydown", (event) => {
    const focused = event.target instanceof Element ? event.target : null;
    if (!focused || !root.contains(focused) || event.isComposing) return;
    const act = nameAct(event, namePlace(focused));
    const own = !(event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab"
      || /^F\d/.test(event.key) || (event.shiftKey && event.key === "Enter"));
    if (act && perform(act, focused)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (own && event.key !== "Escape") event.stopPropagation(); // no command of the notebook's
  }, { capture: true, signal });
}

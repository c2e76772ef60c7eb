// Links to a step, from anywhere on the page: `data-step="7"`, or an address that ends in `#step-7`.
import { readStepLink } from "./schedule.js";

/**
 * The explorer that a link outside of all reports means: the last one before it, else the first.
 * @param {boolean[]} before of each explorer on the page, in order, whether it stands before the link
 */
export function chooseExplorer(before) {
  return Math.max(0, before.lastIndexOf(true));
}

/**
 * @param {HTMLElement} root the explorer
 * @param {(number: number) => void} go
 * @param {AbortSignal} signal
 */
export function followStepLinks(root, go, signal) {
  const report = root.closest(".gm") ?? root;
  /** @param {Element} link */
  const isMeant = (link) => {
    const home = link.closest(".gm");
    if (home?.querySelector(".gm-explorer")) return home === report;
    const all = [...document.querySelectorAll(".gm-explorer")];
    const before = all.map((one) =>
      Boolean(one.compareDocumentPosition(link) & Node.DOCUMENT_POSITION_FOLLOWING));
    return all[chooseExplorer(before)] === root;
  };
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("[data-step], a[href*='#step-']");
    if (!link || !isMeant(link)) return;
    const number = Number(link.getAttribute("data-step")) || readStepLink(link.getAttribute("href") ?? "");
    if (!number) return;
    event.preventDefault();
    event.stopPropagation();
    go(number);
  }, { capture: true, signal });
}

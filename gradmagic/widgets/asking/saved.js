// A report that is held back on a page without a kernel.
import { askSaved } from "./asked.js";

/**
 * Asks, and then opens the report that the page brings along out of sight.
 * @param {string} own what tells it from others on the page
 * @param {(report: HTMLElement, graph: any) => void} [bring] makes the report's graph live
 */
export function mountSavedAsked(own, bring) {
  const root = document.querySelector(`[data-asked="${own}"]`);
  const data = document.querySelector(`[data-asked-of="${own}"]`);
  if (!root || !data) return;
  askSaved(root, JSON.parse(data.textContent ?? ""), (report, graph) => {
    if (graph) bring?.(report, graph);
  }, ".gm");
}

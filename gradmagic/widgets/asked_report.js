// The live report that is held back until its questions are answered.
import { askLive } from "./asking/asked.js";
import { mountSavedAsked } from "./asking/saved.js";
import { mountExplorer } from "./explorer/explorer.js";
import { openReport } from "./opening.js";
import { addPresenting } from "./presenting.js";

/**
 * Asks on a page without a kernel, and then opens the report with its live graph.
 * @param {string} own what tells it from others on the page
 */
export function mountAskedReport(own) {
  mountSavedAsked(own, (report, graph) => {
    const panel = report.querySelector(".gm-panel.gm-graph");
    if (panel instanceof HTMLElement) mountExplorer(panel, graph, {}, null, new AbortController().signal);
  });
}

/** @param {{model: any, el: HTMLElement}} view */
function render({ model, el }) {
  const listening = new AbortController();
  el.classList.add("gm-live");
  askLive(model, el, (place) => openReport(place, model, el, listening.signal), listening.signal);
  const known = el.querySelector('[data-k="facts"] > .gm'); // while it is asked
  if (known) addPresenting(el, known, model, listening.signal);
  return () => {
    listening.abort();
    el.replaceChildren();
  };
}

export default { render };

// The live report.
import { openReport } from "./opening.js";

/** @param {{model: any, el: HTMLElement}} view */
function render({ model, el }) {
  const listening = new AbortController();
  el.classList.add("gm-live");
  openReport(el, model, el, listening.signal);
  return () => {
    listening.abort();
    el.replaceChildren();
  };
}

export default { render };

// Activations: a point over curves that TensorFlow computed ahead. No number is computed here.
import { ActivationPanel } from "./activations/panel.js";
import { readNumbers } from "./activations/numbers.js";
import { addPresenting } from "./presenting.js";
import { askLive, askSaved } from "./asking/asked.js";

/**
 * A panel on a page that has no kernel, from the numbers that the page brings; once it is seen.
 * @param {string} own what tells it from others on the page
 */
export function mountSavedActivations(own) {
  const root = document.querySelector(`[data-activations="${own}"]`);
  const data = document.querySelector(`[data-numbers="${own}"]`);
  if (!(root instanceof HTMLElement) || !data) return;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    askSaved(root, JSON.parse(data.textContent ?? ""), mountLab, ".gm-act");
  });
  observer.observe(root);
}

/** @param {HTMLElement} root the section @param {any} lab */
function mountLab(root, lab) {
  return new ActivationPanel(root, lab, readNumbers(lab.block, Float64Array), readNumbers(lab.table, Float32Array));
}

/** @param {{model: any, el: HTMLElement}} view */
function render({ model, el }) {
  el.classList.add("gm-live");
  const asking = new AbortController();
  /** @type {ActivationPanel | null} */
  let panel = null;
  askLive(model, el, (target) => {
    target.innerHTML = model.get("html");
    const root = /** @type {HTMLElement} */ (target.querySelector(".gm-act"));
    panel = mountLab(root, { ...model.get("lab"), block: model.get("block"), table: model.get("table") });
    addPresenting(el, root, model, panel.ended.signal);
  }, asking.signal);
  return () => {
    asking.abort();
    panel?.close();
    el.replaceChildren();
  };
}

export default { render };

// A descent: followed while it runs, scrubbed through afterwards. It computes no number itself.
import { mountPanel } from "./descent/mounting.js";
import { RunningView, Story } from "./descent/running.js";
import { addPresenting } from "./presenting.js";

/**
 * Brings a panel on a page that has no kernel to life, from the numbers that the page brings.
 * @param {string} own what tells it from others on the page
 */
export function mountSavedDescent(own) {
  const root = document.querySelector(`[data-saved-descent="${own}"] .gm-descent`);
  const data = document.querySelector(`[data-descent-of="${own}"]`);
  if (!(root instanceof HTMLElement) || !data) return;
  const header = JSON.parse(data.textContent ?? "");
  const block = Uint8Array.from(atob(header.block), (letter) => letter.charCodeAt(0)).buffer;
  mountPanel(root, header, block, header.words, new AbortController().signal);
}

/**
 * Interrupts the kernel, where the front-end lets a widget do that.
 * @param {any} model
 * @returns {(() => void) | null}
 */
export function findInterrupt(model) {
  const kernel = model.widget_manager?.kernel ?? model.widget_manager?.context?.sessionContext?.session?.kernel;
  return typeof kernel?.interrupt === "function" ? () => void kernel.interrupt() : null;
}

/** One story a widget, told to all its views. */
export default function makeDescent() {
  const story = new Story();
  /** @type {Set<() => void>} */
  const views = new Set();

  /** @param {{model: any}} widget */
  const initialize = ({ model }) => {
    const hear = (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => {
      story.hear(message, buffers?.[0]);
      views.forEach((draw) => draw());
    };
    model.on("msg:custom", hear);
    return () => model.off("msg:custom", hear);
  };

  /** @param {{model: any, el: HTMLElement}} view */
  const render = ({ model, el }) => {
    el.classList.add("gm-live");
    let listening = new AbortController();
    let draw = () => {};
    const mount = () => {
      listening.abort();
      listening = new AbortController();
      draw = () => {};
      const focused = el.contains(document.activeElement);
      el.innerHTML = model.get("html");
      const root = el.querySelector(".gm-descent");
      if (!(root instanceof HTMLElement)) return;
      addPresenting(el, root, model, listening.signal);
      const words = model.get("words");
      if (model.get("running")) {
        const kernel = { stop: () => model.send({ kind: "stop" }), interrupt: findInterrupt(model) };
        const view = new RunningView(root, story, words, kernel, listening.signal);
        draw = () => view.draw();
        return;
      }
      const header = model.get("header");
      if (!header.runs) return;
      const data = model.get("block");
      const block = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
      const scrubber = mountPanel(root, header, block, words, listening.signal);
      if (focused) scrubber.input.focus({ preventScroll: true }); // the Stop button had it
    };
    const redraw = () => draw();
    views.add(redraw);
    model.on("change:running", mount);
    mount();
    return () => {
      views.delete(redraw);
      model.off("change:running", mount);
      listening.abort();
      el.replaceChildren();
    };
  };
  return { initialize, render };
}

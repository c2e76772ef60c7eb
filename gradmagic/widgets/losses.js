// The sidebar: sliders over numbers that TensorFlow computed ahead. It computes none itself.
import { addPresenting } from "./presenting.js";
import { askLive, askSaved } from "./asking/asked.js";
import { Panel } from "./sidebar/panel.js";
import { findPlace } from "./sidebar/places.js";
import { mountSaved } from "./sidebar/saved.js";
import { Table, readBlock } from "./sidebar/tables.js";

/**
 * A panel on a page that has no kernel, from the numbers that the page brings; once it is seen.
 * @param {string} own what tells it from others on the page
 */
export function mountWhenSeen(own) {
  const root = document.querySelector(`[data-saved="${own}"]`);
  const data = document.querySelector(`[data-of="${own}"]`);
  if (!(root instanceof HTMLElement) || !data) return;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    askSaved(root, JSON.parse(data.textContent ?? ""), mountSaved, ".gm-losses");
  });
  observer.observe(root);
}

/** @param {{model: any, el: HTMLElement}} view */
function render({ model, el }) {
  el.classList.add("gm-live");
  /** @type {Panel | null} */
  let panel = null;
  /** @type {HTMLElement | null} */
  let place = null;
  let html = "";
  let asking = new AbortController();
  let seen = false; // whether the kernel was told that this view is shown
  const readTable = () =>
    new Table(model.get("header"), readBlock(model.get("block")), model.get("batch").scalars);
  const readSource = () => ({
    batch: model.get("batch"),
    words: model.get("words"),
    codes: { ...model.get("codes"), ...model.get("header").codes },
    ask: (/** @type {Record<string, any>} */ question) => model.send(question),
  });
  const sayError = () => panel?.say(model.get("error"));
  const unmount = () => {
    asking.abort();
    panel?.close();
    panel = null;
    if (seen) model.send({ kind: "hidden" });
    seen = false;
  };
  /** @param {HTMLElement} target */
  const open = (target) => {
    html = model.get("html");
    target.innerHTML = html;
    const root = target.querySelector(".gm-losses");
    if (!(root instanceof HTMLElement)) return;
    panel = new Panel(root, readTable(), readSource());
    addPresenting(place ?? target, root, model, panel.listening.signal);
    sayError();
  };
  const mount = () => {
    unmount();
    html = model.get("html");
    if (!place) return;
    const scroller = place.closest(".gm-side, .gm-docked") ?? place;
    const top = scroller.scrollTop;
    asking = new AbortController();
    askLive(model, place, open, asking.signal);
    model.send({ kind: "shown" });
    seen = true;
    scroller.scrollTop = top;
  };
  const renew = () => {
    if (!panel || panel.source.batch.classes !== model.get("batch").classes) return void mount();
    html = model.get("html");
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    panel.renew(fresh.content, readSource(), readTable());
    if (!model.get("quiz").questions) place?.querySelector(".gm-held-quiz")?.replaceChildren();
  };
  const onHeader = () => {
    if (model.get("html") !== html) return void renew(); // other data
    if (!panel) return;
    const header = model.get("header");
    Object.assign(panel.source.codes, header.codes);
    if (panel.parts.sources) panel.parts.sources.innerHTML = header.sources ?? "";
    panel.answer(header.answer);
    panel.showTable(readTable());
  };
  /** @param {Record<string, any>} message @param {DataView[]} buffers */
  const onMessage = (message, buffers) => {
    if (message.kind === "race") panel?.race.hear(message, buffers?.[0]);
    if (message.kind === "ignored") panel?.answer(message.answer);
  };
  model.on("change:header", onHeader);
  model.on("change:error", sayError);
  model.on("msg:custom", onMessage);
  const leave = findPlace(model, el, (target) => {
    place = target;
    mount();
  });
  return () => {
    model.off("change:header", onHeader);
    model.off("change:error", sayError);
    model.off("msg:custom", onMessage);
    unmount();
    leave();
    el.replaceChildren();
  };
}

export default { render };

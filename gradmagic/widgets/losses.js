// The sidebar: sliders over numbers that TensorFlow computed ahead. It computes none itself.
import { Panel } from "./sidebar/panel.js";
import { findPlace } from "./sidebar/places.js";
import { Table, readBlock } from "./sidebar/tables.js";

/**
 * A panel on a page that has no kernel, from the numbers that the page brings; once it is seen.
 * @param {string} own what tells it from others on the page
 */
export function mountWhenSeen(own) {
  const root = document.querySelector(`[data-saved="${own}"] .gm-losses`);
  const data = document.querySelector(`[data-of="${own}"]`);
  if (!(root instanceof HTMLElement) || !data) return;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    mountSaved(root, JSON.parse(data.textContent ?? ""));
  });
  observer.observe(root);
}

/** @param {HTMLElement} root the section @param {Record<string, any>} data */
function mountSaved(root, data) {
  /** @type {Map<number, Table>} */
  const tables = new Map();
  for (const { header, block } of data.tables) {
    const table = new Table(header, readBlock(block), data.batch.scalars);
    tables.set(table.sample, Object.assign(table, { codes: header.codes }));
  }
  const first = /** @type {any} */ ([...tables.values()][0]);
  const codes = { ...data.codes, ...first.codes };
  return new Panel(root, first, {
    batch: data.batch,
    words: data.words,
    codes,
    held: [...tables.keys()],
    find: (sample) => {
      const table = /** @type {any} */ (tables.get(sample));
      if (table) Object.assign(codes, table.codes);
      return table ?? null;
    },
  });
}

/** @param {{model: any, el: HTMLElement}} view */
function render({ model, el }) {
  el.classList.add("gm-live");
  /** @type {Panel | null} */
  let panel = null;
  /** @type {HTMLElement | null} */
  let place = null;
  let html = "";
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
    if (!panel) return;
    panel.close();
    panel = null;
    model.send({ kind: "hidden" });
  };
  const mount = () => {
    unmount();
    html = model.get("html");
    if (!place) return;
    const scroller = place.closest(".gm-side, .gm-docked") ?? place;
    const top = scroller.scrollTop;
    place.innerHTML = html;
    const root = place.querySelector(".gm-losses");
    if (!(root instanceof HTMLElement)) return;
    panel = new Panel(root, readTable(), readSource());
    model.send({ kind: "shown" });
    sayError();
    scroller.scrollTop = top;
  };
  const renew = () => {
    if (!panel || panel.source.batch.classes !== model.get("batch").classes) return void mount();
    html = model.get("html");
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    panel.renew(fresh.content, readSource(), readTable());
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

// Brings a report to life: puts its HTML on the page and makes tabs of its parts.
import { copyPlainMinus, makeCopyButton } from "./copying.js";
import { mountExplorer } from "./explorer/explorer.js";
import { addPresenting } from "./presenting.js";
import { watchScrolling } from "./scrolling.js";

/** The parts of a report in the order of their tabs: the class of a part. */
const PARTS = ["gm-gradients", "gm-loss", "gm-graph", "gm-code"];

/**
 * The tab that a key moves to.
 * @param {string} key as KeyboardEvent names it
 * @param {number} at number of the tab that has the focus
 * @param {number} count number of tabs that are shown
 * @returns {number | null} null where the key moves nowhere
 */
export function moveTab(key, at, count) {
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return (at + count - 1) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/**
 * The code of its lines.
 * @param {(string | null)[]} lines
 */
export function joinCode(lines) {
  return lines.map((line) => (line ?? "").trimEnd() + "\n").join("");
}

/**
 * @param {string} className
 * @param {string} text
 */
function makeWords(className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}

/**
 * Puts tabs above the parts of a report.
 * @param {HTMLElement} report the section with class gm
 * @param {Record<string, string>} words in the user's language
 * @param {AbortSignal} signal takes the listeners away
 */
export function addTabs(report, words, signal) {
  const panels = PARTS.flatMap((name) => [...report.querySelectorAll(`.gm-panel.${name}`)]);
  const strip = document.createElement("div");
  strip.className = "gm-tabs";
  strip.setAttribute("role", "tablist");
  strip.setAttribute("aria-label", words.tabs);
  // Each report has this module for itself: a number counted here would not be the page's only one.
  const number = Math.random().toString(36).slice(2, 10);
  const tabs = panels.map((panel, i) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `gm-tab-${number}-${i}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", `gm-panel-${number}-${i}`);
    tab.textContent = panel.querySelector(".gm-h").textContent;
    tab.classList.toggle("gm-t-loss", panel.classList.contains("gm-loss"));
    panel.id = `gm-panel-${number}-${i}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    return tab;
  });
  if (report.querySelector(".gm-first .gm-loss")) { // where there is room the first tab shows both
    tabs[0].replaceChildren(
      makeWords("gm-narrow-words", tabs[0].textContent ?? ""),
      makeWords("gm-wide-words", words.both),
    );
  }
  strip.append(...tabs);
  report.querySelector(".gm-panels").before(strip);
  report.classList.add("gm-tabbed");

  /** @param {number} chosen */
  const open = (chosen) => {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === chosen));
      tab.tabIndex = i === chosen ? 0 : -1;
      panels[i].classList.toggle("gm-off", i !== chosen);
    });
  };
  tabs.forEach((tab, i) => tab.addEventListener("click", () => open(i), { signal }));
  // JupyterLab and Notebook 7 take arrow keys and Enter for their cells, in the capturing phase of
  // the document. The window comes before it.
  window.addEventListener("keydown", (event) => {
    const focused = event.target instanceof Element ? event.target : null;
    if (!focused || !report.contains(focused)) return;
    if (focused.matches("button, summary") && ["Enter", " "].includes(event.key)) {
      event.stopPropagation(); // what it does by itself is to be clicked
      return;
    }
    const shown = tabs.filter((tab) => tab.offsetParent !== null);
    const at = shown.findIndex((tab) => tab === focused);
    const next = at < 0 ? null : moveTab(event.key, at, shown.length);
    if (next === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    open(tabs.indexOf(shown[next]));
    shown[next].focus();
  }, { capture: true, signal });
  report.addEventListener("gm-show", (event) => { // what is in a panel wants to be seen
    const at = panels.findIndex((panel) => panel === event.target);
    if (at >= 0) open(at);
  }, { signal });
  open(0);
}

/**
 * A button that copies the code without its line numbers.
 * @param {HTMLElement} report
 * @param {Record<string, string>} words in the user's language
 * @param {AbortSignal} signal
 */
export function addCopying(report, words, signal) {
  const listing = report.querySelector(".gm-py");
  if (!listing) return;
  const read = () => joinCode([...listing.querySelectorAll("code")].map((line) => line.textContent));
  listing.after(makeCopyButton("gm-copy", listing, read, words, signal));
}

/**
 * Brings the graph to life once its document is there, which the kernel makes after the report.
 * @param {HTMLElement} report
 * @param {any} model
 * @param {AbortSignal} signal
 */
function addExplorer(report, model, signal) {
  const panel = report.querySelector(".gm-panel.gm-graph");
  if (!(panel instanceof HTMLElement)) return;
  const connection = {
    send: (/** @type {any} */ message) => model.send(message),
    onMessage: (/** @type {(message: any) => void} */ hear) => {
      model.on("msg:custom", hear);
      signal.addEventListener("abort", () => model.off("msg:custom", hear));
    },
  };
  const mount = () => {
    const text = model.get("explorer");
    if (!text) return;
    model.off("change:explorer", mount);
    mountExplorer(panel, JSON.parse(text), model.get("words"), connection, signal);
  };
  model.on("change:explorer", mount);
  signal.addEventListener("abort", () => model.off("change:explorer", mount));
  mount();
}

/**
 * Puts the report into its place, and makes it live.
 * @param {HTMLElement} place
 * @param {any} model
 * @param {HTMLElement} el around all
 * @param {AbortSignal} signal
 */
export function openReport(place, model, el, signal) {
  place.innerHTML = model.get("html");
  const report = /** @type {HTMLElement | null} */ (place.querySelector(".gm"));
  if (!report) return;
  addPresenting(el, report, model, signal);
  addTabs(report, model.get("words"), signal);
  addCopying(report, model.get("words"), signal);
  copyPlainMinus(report, signal);
  watchScrolling(report, model.get("words").scrolls, signal);
  addExplorer(report, model, signal);
}

// The page that holds all reports: each comes to life when it comes near the window.
import { ActivationPanel } from "./activations/panel.js";
import { readNumbers } from "./activations/numbers.js";
import { copyPlainMinus } from "./copying.js";
import { mountPanel } from "./descent/mounting.js";
import { mountExplorer } from "./explorer/explorer.js";
import { addCopying, addTabs } from "./opening.js";
import { watchScrolling } from "./scrolling.js";
import { mountSaved } from "./sidebar/saved.js";

const WITHIN = "800px"; // from the window: what is so near is brought to life

/**
 * What was deflated and written in base64.
 * @param {string} text
 * @returns {Promise<any>} what its JSON says
 */
export async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// What paper does not show: answers that were held back, a second and larger drawing of a graph.
const KEPT_CLOSED = ".gm-veiled, .gm-all";

/** @type {Record<string, (view: HTMLElement, numbers: any, signal: AbortSignal) => void>} */
const MOUNTS = {
  tape: (view, numbers, signal) => {
    const panel = view.querySelector(".gm-panel.gm-graph");
    if (panel instanceof HTMLElement) mountExplorer(panel, numbers, {}, null, signal);
  },
  descent: (view, numbers, signal) => {
    const root = view.querySelector(".gm-descent");
    const block = Uint8Array.from(atob(numbers.block), (letter) => letter.charCodeAt(0)).buffer;
    if (root instanceof HTMLElement) mountPanel(root, numbers, block, numbers.words, signal);
  },
  losses: (view, numbers) => {
    const root = view.querySelector(".gm-losses");
    if (root instanceof HTMLElement) mountSaved(root, numbers);
  },
  activations: (view, numbers) => {
    const root = view.querySelector(".gm-act");
    if (!(root instanceof HTMLElement)) return;
    const { block, table } = numbers;
    new ActivationPanel(root, numbers, readNumbers(block, Float64Array), readNumbers(table, Float32Array));
  },
};

/**
 * Brings a report to life; where that fails it stays as it is.
 * @param {HTMLElement} view
 * @param {Record<string, string>} words
 * @param {AbortSignal} signal
 */
async function enliven(view, words, signal) {
  const kind = /** @type {HTMLElement} */ (view.closest("[data-kind]")).dataset.kind ?? "";
  const report = view.querySelector(":scope > .gm");
  if (kind === "tape" && report instanceof HTMLElement) {
    addTabs(report, words, signal);
    addCopying(report, words, signal);
    copyPlainMinus(report, signal);
  }
  const data = view.querySelector(":scope > .gm-kept");
  if (!data || typeof DecompressionStream === "undefined") return;
  try {
    MOUNTS[kind](view, await inflate(data.textContent ?? ""), signal);
    data.remove();
  } catch (error) { // the picture that is there serves
    console.error("gradmagic: a report cannot be brought to life.", error);
  }
}

/** Goes where an address leads, and stays there while what is above comes to life and grows. */
class Aim {
  /** @type {Element | null} */
  chapter = null;

  constructor() {
    window.addEventListener("hashchange", () => this.take());
    for (const kind of ["wheel", "pointerdown", "keydown", "touchstart"]) {
      window.addEventListener(kind, () => { this.chapter = null; }, { passive: true });
    }
    this.take();
  }

  take() {
    const id = decodeURIComponent(window.location.hash.slice(1));
    this.chapter = id ? document.getElementById(id) : null;
    const folded = this.chapter?.querySelector(":scope > .gm-earlier");
    if (folded instanceof HTMLDetailsElement) folded.open = true;
    this.hold();
  }

  hold() {
    this.chapter?.scrollIntoView();
  }
}

/**
 * Marks in the contents the chapter that is read.
 * @param {Element} book
 */
function followReading(book) {
  const links = new Map([...book.querySelectorAll(".gm-contents a")].map((link) => [link.getAttribute("href"), link]));
  /** @type {Set<Element>} */
  const shown = new Set();
  const chapters = [...book.querySelectorAll(".gm-chapter")];
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) shown[isIntersecting ? "add" : "delete"](target);
    const first = chapters.find((chapter) => shown.has(chapter));
    for (const [href, link] of links) link.toggleAttribute("aria-current", href === `#${first?.id}`);
  }, { rootMargin: "-10% 0px -60%" });
  for (const chapter of chapters) watch.observe(chapter);
}

/** What is folded is shown on paper. */
function unfoldForPrint() {
  /** @type {HTMLDetailsElement[]} */
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details")].filter((one) => !one.open && !one.closest(KEPT_CLOSED));
    for (const one of opened) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}

/** Sets the page to work. */
export function openBook() {
  const book = document.querySelector(".gm-book");
  if (!book) return;
  const words = JSON.parse(document.getElementById("gm-words")?.textContent ?? "{}");
  const { signal } = new AbortController();
  const aim = new Aim();
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      near.unobserve(target);
      void enliven(target, words, signal).then(() => aim.hold());
    }
  }, { rootMargin: WITHIN });
  for (const view of book.querySelectorAll(".gm-view")) near.observe(view);
  watchScrolling(/** @type {HTMLElement} */ (book), words.scrolls, signal);
  followReading(book);
  unfoldForPrint();
}

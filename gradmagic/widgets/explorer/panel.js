// The panel beside the graph: what is said of a node or a step, and the cell's code.
import { make } from "../elements.js";
import { makeIconButton } from "./icons.js";

const LONG = 36; // characters of code that just fit beside each other

/**
 * Renews what an element holds, but for one part and the way to it. A hand may be dragging a control
 * in it: one that leaves the page, if only for a moment, lets go of the pointer.
 * @param {Element} old
 * @param {Element} fresh
 * @param {Element} kept inside `old`
 * @param {Element | null} counterpart the same part inside `fresh`
 */
export function renewAround(old, fresh, kept, counterpart) {
  if (!counterpart) return void old.replaceChildren(...fresh.childNodes);
  const inner = [...old.childNodes].find((child) => child.contains(kept));
  const other = [...fresh.childNodes].find((child) => child.contains(counterpart));
  if (!inner || !other) return;
  const all = [...fresh.childNodes];
  const at = all.indexOf(other);
  for (const child of [...old.childNodes]) if (child !== inner) child.remove();
  old.prepend(...all.slice(0, at));
  old.append(...all.slice(at + 1));
  if (inner !== kept && inner instanceof Element && other instanceof Element) {
    renewAround(inner, other, kept, counterpart);
  }
}

/**
 * A line of code in parts between which it may be wrapped: behind brackets and commas, and before
 * the last name of what is still long.
 * @param {string} text
 */
export function splitCode(text) {
  return text.split(/(?<=[([,])/).flatMap((part) => {
    const dot = part.length > LONG ? part.lastIndexOf(".") : 0;
    return dot > 0 ? [part.slice(0, dot), part.slice(dot)] : [part];
  });
}

export class InfoPanel {
  /**
   * @param {Record<string, any>} doc
   * @param {Record<string, string>} words
   * @param {{close(): void, line(line: number): void}} on
   * @param {AbortSignal} signal
   */
  constructor(doc, words, on, signal) {
    this.words = words;
    this.body = make("div", { class: "gm-told", tabindex: "-1" });
    this.note = make("p", { class: "gm-s" });
    this.code = make("div", { class: "gm-lines", role: "group", "aria-label": words.code });
    /** @type {Map<number, HTMLElement>} */
    this.lines = new Map();
    for (const [number, text] of doc.code) this.code.append(this.#makeLine(number, text));
    this.code.style.setProperty("--gm-rows", String(doc.code.length));
    const close = makeIconButton("close", words.close, on.close, signal);
    close.classList.add("gm-shut");
    this.element = make("div", { class: "gm-info", role: "group", "aria-label": words.panel },
      close, this.body, this.note, make("p", { class: "gm-s gm-b" }, words.code), this.code);
    this.code.addEventListener("click", (event) => {
      const line = event.target instanceof Element && event.target.closest("button")?.dataset.ofLine;
      if (line) on.line(Number(line));
    }, { signal });
    this.open = false;
    this.element.hidden = true;
    this.shown = ""; // what the body is about
  }

  /** @param {number | null} number @param {string} text */
  #makeLine(number, text) {
    const code = make("code", {});
    for (const part of splitCode(text || " ")) code.append(part, make("wbr"));
    code.style.setProperty("--gm-in", String(text.search(/\S|$/))); // what is wrapped goes on further in
    const parts = [make("i", {}, number === null ? "+" : String(number)), code];
    if (number === null) return make("div", {}, ...parts);
    const line = make("button", { type: "button", "data-of-line": String(number), title: this.words.pick_line }, ...parts);
    this.lines.set(number, line);
    return line;
  }

  /**
   * @param {string} about what is shown: what was there before starts at its top again
   * @param {string} html
   * @param {boolean} [trying] whether an entry is tried, whose controls then stay as they are
   */
  show(about, html, trying = false) {
    const kept = trying && about === this.shown ? this.body.querySelector(".gm-trying") : null;
    if (kept) {
      const fresh = make("div");
      fresh.innerHTML = html;
      renewAround(this.body, fresh, kept, fresh.querySelector(".gm-trying"));
    } else {
      const focused = this.body.contains(document.activeElement);
      this.body.innerHTML = html;
      if (focused) this.body.focus({ preventScroll: true }); // what had it is gone
      if (about !== this.shown) this.body.scrollTop = 0;
    }
    this.shown = about;
    this.setOpen(true);
    this.#revealLine();
  }

  /** @param {boolean} open */
  setOpen(open) {
    this.open = open;
    this.element.hidden = !open;
  }

  /**
   * Marks lines of the code.
   * @param {Set<number>} lines
   */
  markLines(lines) {
    for (const [number, element] of this.lines) {
      const on = lines.has(number);
      element.classList.toggle("gm-on", on);
      element.setAttribute("aria-pressed", String(on));
    }
    this.#revealLine();
  }

  /** Scrolls to the first line that is marked: how much of the code is seen depends on what is told. */
  #revealLine() {
    const first = [...this.lines.values()].find((line) => line.classList.contains("gm-on"));
    if (!first || this.code.scrollHeight <= this.code.clientHeight) return;
    const { offsetTop: top, offsetHeight: height } = first; // in the code, which is positioned
    if (top < this.code.scrollTop || top + height > this.code.scrollTop + this.code.clientHeight) {
      this.code.scrollTop = top - this.code.clientHeight / 3; // of the code alone: the page stays
    }
  }
}

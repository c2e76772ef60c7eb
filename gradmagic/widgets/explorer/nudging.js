// Trying things on a source's entry: measuring the slope, and "what if it were another number?".
import { fillText, make } from "../elements.js";
import { formatNumber } from "../sidebar/numbers.js";

const LEAST_PAUSE = 80; // ms between two questions
const LOST = 5000; // ms after which an answer is no longer awaited

/** Sends the newest of many values: one at a time, and not too often. */
export class Newest {
  /**
   * @param {(value: any) => void} send
   * @param {{now(): number, later(act: () => void, time: number): any}} clock
   */
  constructor(send, clock = { now: () => performance.now(), later: (act, time) => setTimeout(act, time) }) {
    Object.assign(this, { send, clock });
    this.waiting = false; // for an answer
    this.sent = -Infinity;
    /** @type {{value: any} | null} */
    this.held = null;
    this.timed = false;
  }

  /** @param {any} value */
  offer(value) {
    this.held = { value };
    this.#push();
  }

  /** The answer is there, or is given up. */
  answered() {
    this.waiting = false;
    this.#push();
  }

  /** Forgets what has not been sent. */
  drop() {
    this.held = null;
  }

  #push() {
    const now = this.clock.now();
    if (this.waiting && now - this.sent > LOST) this.waiting = false;
    if (!this.held || this.waiting || this.timed) return;
    const pause = this.sent + LEAST_PAUSE - now;
    if (pause > 0) {
      this.timed = true;
      this.clock.later(() => {
        this.timed = false;
        this.#push();
      }, pause);
      return;
    }
    const { value } = this.held;
    this.held = null;
    this.waiting = true;
    this.sent = now;
    this.send(value);
  }
}

/**
 * Adds what the kernel sent to the document.
 * @param {Record<string, any>} doc is changed
 * @param {Record<string, any>} part
 */
export function mergeDocument(doc, part) {
  for (const key of ["levels", "nodes", "iterations"]) {
    if (part[key]) doc[key] = { ...doc[key], ...part[key] };
  }
  return doc;
}

/**
 * Puts the numbers of a run in place of all that the document holds of another: what it then lacks is
 * to be asked for again.
 * @param {Record<string, any>} doc is changed
 * @param {Record<string, any>} part
 */
export function replaceNumbers(doc, part) {
  for (const key of ["levels", "details", "chains", "iterations", "colours"]) doc[key] = part[key];
  doc.steps = { ...doc.steps, said: part.steps.said };
  return doc;
}

/** An entry of a tensor as code writes it: `w[3, 0]`. @param {string} source @param {string} index */
export const nameEntry = (source, index) => (index ? `${source}[${index.split(",").join(", ")}]` : source);

export class Nudging {
  /**
   * @param {HTMLElement} place what holds the controls
   * @param {import("./kernel.js").Kernel} kernel
   * @param {Record<string, string>} words
   * @param {(part: any) => Promise<void>} show shows the numbers that the kernel answered with
   * @param {AbortSignal} signal
   */
  constructor(place, kernel, words, show, signal) {
    Object.assign(this, { place, kernel, words, show });
    /** @type {{source: string, index: string, value: number} | null} */
    this.imagined = null;
    this.newest = new Newest((value) => this.#ask(value));
    this.text = make("span");
    const back = make("button", { type: "button", class: "gm-link" }, words.restore);
    back.addEventListener("click", () => this.restore(), { signal });
    this.banner = make("p", { class: "gm-what-if", role: "status" }, make("strong", {}, words.what_if), " ", this.text, " ", back);
    this.banner.hidden = true;
    place.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("button[data-check]");
      if (button instanceof HTMLButtonElement) this.#check(button);
    }, { signal });
    place.addEventListener("input", (event) => {
      const input = event.target;
      if (input instanceof HTMLInputElement && input.matches("[data-imagine]")) this.#imagine(input);
      if (input instanceof HTMLSelectElement && input.matches("[data-choose]")) this.#choose(input);
    }, { signal });
  }

  /** What is on the page to try something with, is taken away where there is no kernel to try it. */
  prepare() {
    if (this.kernel.present) return;
    for (const part of this.place.querySelectorAll(".gm-trying")) {
      part.replaceWith(make("p", { class: "gm-s" }, this.words.no_kernel));
    }
  }

  /** @param {HTMLButtonElement} button */
  async #check(button) {
    const { source, index } = button.dataset;
    const home = button.closest(".gm-trying") ?? button.parentElement;
    button.disabled = true;
    const answer = await this.kernel.ask({ kind: "check", source, index });
    button.disabled = false;
    const slot = home?.querySelector(".gm-answer");
    if (slot) slot.innerHTML = answer?.html ?? this.words.no_answer;
  }

  /** @param {HTMLSelectElement} select */
  #choose(select) {
    const { dataset, value } = /** @type {HTMLOptionElement} */ (select.selectedOptions[0]);
    const home = select.closest(".gm-trying");
    for (const control of home?.querySelectorAll("[data-index]") ?? []) {
      control.setAttribute("data-index", value);
      if (!(control instanceof HTMLInputElement)) continue;
      Object.assign(control, { min: dataset.min, max: dataset.max });
      control.value = dataset.value ?? "";
      this.#write(control);
    }
    home?.querySelector(".gm-answer")?.replaceChildren();
  }

  /** @param {HTMLInputElement} input */
  #write(input) {
    const output = input.closest("p, label, div")?.parentElement?.querySelector("output");
    if (output) output.textContent = formatNumber(Number(input.value));
  }

  /** @param {HTMLInputElement} input */
  #imagine(input) {
    const value = Number(input.value);
    if (input.value === "" || !Number.isFinite(value)) return;
    this.#write(input);
    input.closest(".gm-trying")?.querySelector(".gm-answer")?.replaceChildren(); // it was of another value
    this.newest.offer({ source: input.dataset.source ?? "", index: input.dataset.index ?? "", value });
  }

  /** @param {{source: string, index: string, value: number}} change */
  async #ask(change) {
    const { source, index, value } = change;
    const answer = await this.kernel.ask({ kind: "imagine", source, index, value });
    if (answer && !answer.error) {
      this.imagined = change;
      const parts = { entry: nameEntry(source, index), value: formatNumber(value) };
      this.#say([fillText(this.words.what_if_entry, parts), answer.note].filter(Boolean).join(" "));
      await this.show(answer);
    } else this.#say(answer?.error ?? this.words.no_answer);
    this.newest.answered();
  }

  /** @param {string} text */
  #say(text) {
    this.text.textContent = text;
    this.banner.hidden = false;
  }

  async restore() {
    this.newest.drop();
    const answer = this.imagined ? await this.kernel.ask({ kind: "restore" }) : null;
    if (this.imagined && !answer) return void this.#say(this.words.no_answer);
    this.imagined = null;
    this.banner.hidden = true;
    if (answer) await this.show(answer);
  }
}

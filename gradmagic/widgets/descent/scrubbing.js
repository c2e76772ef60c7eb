// Scrubbing through a descent: every number was computed by TensorFlow, and is looked up here.
import { fillText, make, put } from "../elements.js";
import { formatNumber } from "../sidebar/numbers.js";
import { drawBins, drawMap, fillCells, writeScalar } from "./cells.js";
import { findNearest, placeX, placeY, readArray } from "./finding.js";

const SVG_SPACE = "http://www.w3.org/2000/svg";
const BINS_WIDTH = 196;
const BINS_HEIGHT = 64;
const MOVING = ["ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "PageUp", "PageDown", "Home", "End"];
const STATISTICS = ["norm", "mean", "low", "high"];
const WRITTEN = [3, 2, 0, 1]; // where each of them stands among those that were packed

/** @param {string} name @param {Record<string, string>} attributes */
function makeMark(name, attributes) {
  const element = document.createElementNS(SVG_SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/**
 * Keeps the keys of a panel's controls from the front-end: JupyterLab and Notebook 7 take arrows,
 * Enter and letters for their cells, in the capturing phase of the document. The window is before it.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal takes the listener away
 * @param {(event: KeyboardEvent) => void} [press] what a key does beside what it does by itself
 */
export function keepKeys(root, signal, press = () => {}) {
  window.addEventListener("keydown", (event) => {
    const focused = event.target instanceof Element ? event.target : null;
    if (!focused || !root.contains(focused)) return;
    const own = focused.matches("button, summary") ? ["Enter", " "] : focused.matches("input") ? MOVING : [];
    if (!own.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    press(event);
  }, { capture: true, signal });
}

/** Marks one place in a picture: a dashed line from top to bottom if asked, and a point. */
class Mark {
  /** @param {SVGElement} svg @param {any} frame @param {boolean} lined */
  constructor(svg, frame, lined) {
    this.frame = frame;
    this.line = makeMark("line", { class: "gm-at", y1: frame.top, y2: frame.top + frame.height });
    this.point = makeMark("circle", { class: "gm-point", r: "5" });
    if (lined) svg.append(this.line);
    svg.append(this.point);
  }

  /** @param {number} x @param {number | null} y pixels; null: there is no point */
  move(x, y) {
    const known = Number.isFinite(x); // not where the descent has left the numbers
    this.line.style.display = known ? "" : "none";
    this.point.style.display = known && y !== null ? "" : "none";
    if (!known) return;
    this.line.setAttribute("x1", String(x));
    this.line.setAttribute("x2", String(x));
    if (y === null) return;
    this.point.setAttribute("cx", x.toFixed(1));
    this.point.setAttribute("cy", y.toFixed(1));
  }
}

/** One source's value or gradient, as it is shown. */
class Side {
  /**
   * @param {HTMLElement} place
   * @param {any} source what steps.py describes
   * @param {number} side 0 value, 1 gradient
   * @param {(place: any) => any} read
   */
  constructor(place, source, side, read) {
    Object.assign(this, { place, source, side });
    this.values = read(source.arrays[side]);
    this.size = source.form === "histogram"
      ? 0 : source.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    this.statistics = source.statistics ? read(source.statistics[side]) : null;
    if (source.form === "cells") {
      this.cells = [...place.querySelectorAll("td[class]")];
      this.number = place.querySelector(".gm-number");
    } else this.#prepare();
  }

  #prepare() {
    const drawn = this.place.querySelector("[data-k='drawn']");
    if (!drawn) return;
    if (this.source.form === "map") {
      const [rows, columns] = this.source.shape;
      this.canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { class: "gm-pixels", role: "img" }));
      Object.assign(this.canvas, { width: columns, height: rows });
      const width = Math.max(3, Math.min(16, Math.floor(BINS_WIDTH / columns)));
      const height = Math.max(3, Math.min(16, Math.floor(160 / rows)));
      this.canvas.style.width = `${width * columns}px`;
      this.canvas.style.height = `${height * rows}px`;
      this.canvas.setAttribute("aria-label", drawn.querySelector("svg")?.getAttribute("aria-label") ?? "");
      drawn.replaceChildren(this.canvas);
      return;
    }
    const svg = makeMark("svg", { class: "gm-bins", width: String(BINS_WIDTH), height: String(BINS_HEIGHT), role: "img" });
    svg.setAttribute("aria-label", drawn.querySelector("svg")?.getAttribute("aria-label") ?? "");
    this.outline = makeMark("path", {});
    svg.append(this.outline);
    const [low, high] = this.source.ranges[this.side];
    const axis = make("span", { class: "gm-axis gm-s" }, make("span", {}, formatNumber(low, 3)), make("span", {}, formatNumber(high, 3)));
    drawn.replaceChildren(svg, axis);
  }

  /** @param {number} at position of the kept step */
  show(at) {
    const { source, side, values, size } = this;
    if (side && source.none) return; // TensorFlow gave None at every step, and so it stands there
    if (source.form === "cells") {
      const own = values.subarray(at * size, (at + 1) * size);
      if (this.number) put(this.number, writeScalar(own[0]));
      else fillCells(this.cells, own, source.most[side]);
      return;
    }
    if (this.canvas) drawMap(this.canvas, values.subarray(at * size, (at + 1) * size));
    const bins = values.length / (this.statistics.length / 4);
    this.outline?.setAttribute("d", drawBins(values.subarray(at * bins, (at + 1) * bins), BINS_WIDTH, BINS_HEIGHT));
    const numbers = this.place.querySelectorAll("[data-k='numbers'] dd");
    STATISTICS.forEach((_, i) => {
      const number = this.statistics[4 * at + WRITTEN[i]];
      put(numbers[i], Number.isNaN(number) ? "–" : formatNumber(number));
    });
  }
}

/** One run, ready to be shown at any kept step. */
class Run {
  /** @param {HTMLElement} root @param {any} data @param {ArrayBuffer} block @param {number} i @param {Record<string, string>} words */
  constructor(root, data, block, i, words) {
    this.header = data.runs[i];
    this.words = words;
    const read = (/** @type {any} */ place) => readArray(block, this.header.start, place);
    this.steps = this.header.steps;
    this.losses = read(this.header.losses);
    this.rates = read(this.header.rates);
    this.norms = read(this.header.norms);
    this.path = this.header.path ? read(this.header.path) : null;
    this.parts = [...root.querySelectorAll(`[data-run="${i}"]`)];
    const find = (/** @type {string} */ selector) =>
      this.parts.map((part) => part.querySelector(selector)).find((found) => found) ?? null;
    const surface = find("[data-k='surface'] svg");
    this.surface = surface && data.surfaces[i] ? new Mark(surface, data.surfaces[i], false) : null;
    const norms = find(".gm-norms .gm-drawn svg");
    this.normLine = norms && data.norms[i] ? new Mark(norms, data.norms[i], true) : null;
    this.now = find("[data-k='now']");
    this.sides = this.header.sources.flatMap((/** @type {any} */ source, /** @type {number} */ number) =>
      [0, 1].map((side) => {
        const place = find(`[data-source="${number}"] [data-side="${side}"]`);
        return new Side(place, source, side, read);
      }));
  }

  /** @param {number} at */
  show(at) {
    const step = this.steps[at];
    for (const side of this.sides) side.show(at);
    if (this.surface && this.path) {
      const y = this.path[2 * at + 1];
      this.surface.move(this.path[2 * at], Number.isFinite(y) ? y : null);
    }
    if (this.normLine) {
      const count = this.norms.length / this.steps.length;
      const frame = this.normLine.frame;
      this.normLine.move(placeX(frame, step), count === 1 ? placeY(frame, this.norms[at]) : null);
    }
    if (!this.now) return;
    const said = fillText(this.words.step, { step, last: this.header.last });
    const loss = make("span", { class: "gm-s" }, `${this.words.loss} ${formatNumber(this.losses[at])}`);
    this.now.replaceChildren(said, " ", loss);
  }
}

/** The slider, the switch of the axis, and the choice of a run. */
export class Scrubber {
  /**
   * @param {HTMLElement} root the section
   * @param {any} data what document.py packs
   * @param {ArrayBuffer} block
   * @param {Record<string, string>} words
   * @param {AbortSignal} signal takes the listeners away
   */
  constructor(root, data, block, words, signal) {
    Object.assign(this, { root, data, words, signal });
    this.runs = data.runs.map((/** @type {any} */ _, /** @type {number} */ i) => new Run(root, data, block, i, words));
    this.at = 0;
    /** @type {Mark[]} */
    this.marks = ["linear", "logarithmic"].flatMap((name) => {
      const svg = root.querySelector(`[data-k="${name}"] svg`);
      return svg && data[name] ? [new Mark(/** @type {any} */ (svg), data[name], true)] : [];
    });
    this.#addSwitch();
    this.#addSlider();
    this.#addChoice();
    this.choose(data.best);
  }

  #addSwitch() {
    const { root, data, words, signal } = this;
    const place = root.querySelector("[data-k='switch']");
    if (!place || !data.linear || !data.logarithmic) return;
    const names = ["linear", "logarithmic"];
    const buttons = names.map((name) => make("button", { type: "button" }, words[name]));
    const press = (/** @type {number} */ chosen) => names.forEach((name, i) => {
      buttons[i].setAttribute("aria-pressed", String(i === chosen));
      const picture = root.querySelector(`[data-k="${name}"]`);
      if (picture instanceof HTMLElement) picture.hidden = i !== chosen;
    });
    buttons.forEach((button, i) => button.addEventListener("click", () => press(i), { signal }));
    place.replaceChildren(...buttons);
    press(data.steep ? 1 : 0);
  }

  #addSlider() {
    const { root, words, signal } = this;
    const place = root.querySelector("[data-k='slider']");
    const longest = Math.max(...this.runs.map((/** @type {Run} */ run) => run.header.last));
    this.input = /** @type {HTMLInputElement} */ (make("input", {
      type: "range", min: "0", max: String(Math.max(1, longest)), step: "1", "aria-label": words.slider,
    }));
    this.reading = make("p", { class: "gm-reading" });
    if (!place) return;
    place.replaceChildren(this.input, this.reading);
    this.input.addEventListener("input", () => this.show(findNearest(this.run.steps, Number(this.input.value))), { signal });
    keepKeys(root, signal, (event) => event.target === this.input && this.#press(event));
    for (const mark of this.marks) {
      const svg = /** @type {SVGSVGElement} */ (mark.point.ownerSVGElement);
      svg.style.cursor = "ew-resize";
      const drag = (/** @type {PointerEvent} */ event) => {
        const box = svg.getBoundingClientRect();
        const x = ((event.clientX - box.left) * svg.viewBox.baseVal.width) / box.width;
        const [low, high] = mark.frame.x;
        const step = low + ((x - mark.frame.left) / mark.frame.width) * (high - low);
        this.show(findNearest(this.run.steps, step));
      };
      svg.addEventListener("pointerdown", (event) => {
        svg.setPointerCapture(event.pointerId);
        this.input.focus({ preventScroll: true });
        drag(event);
        event.preventDefault();
      }, { signal });
      svg.addEventListener("pointermove", (event) => event.buttons && drag(event), { signal });
    }
  }

  /** An arrow moves by one kept step, a page key by a tenth of them. @param {KeyboardEvent} event */
  #press(event) {
    const last = this.run.steps.length - 1;
    const far = Math.max(1, Math.round(last / 10));
    /** @type {Record<string, number>} */
    const moves = {
      ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: far, PageDown: -far, Home: -last, End: last,
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.show(Math.min(last, Math.max(0, this.at + move)));
  }

  #addChoice() {
    this.rows = [...this.root.querySelectorAll("[data-choose]")];
    for (const cell of this.rows) {
      const button = make("button", { type: "button" }, cell.textContent ?? "");
      button.addEventListener("click", () => this.choose(Number(cell.getAttribute("data-choose"))), { signal: this.signal });
      cell.replaceChildren(button);
    }
  }

  /** @param {number} i the run to show */
  choose(i) {
    const step = this.run?.steps[this.at];
    this.run = this.runs[i];
    this.root.dataset.chosen = String(i);
    this.runs.forEach((/** @type {Run} */ run, /** @type {number} */ number) => {
      for (const part of run.parts) /** @type {HTMLElement} */ (part).hidden = number !== i;
    });
    for (const cell of this.rows) {
      const chosen = cell.getAttribute("data-choose") === String(i);
      cell.closest("tr")?.classList.toggle("gm-chosen", chosen);
      cell.querySelector("button")?.setAttribute("aria-pressed", String(chosen));
    }
    if (!this.run.steps.length) return;
    this.show(step === undefined ? this.run.steps.length - 1 : findNearest(this.run.steps, step));
  }

  /** @param {number} at position of the kept step */
  show(at) {
    const { run, words } = this;
    this.at = at;
    const step = run.steps[at];
    this.input.value = String(step);
    run.show(at);
    for (const mark of this.marks) {
      mark.move(placeX(mark.frame, step), placeY(mark.frame, run.losses[at]));
    }
    const said = fillText(words.step, { step, last: run.header.last });
    const loss = `${words.loss} ${formatNumber(run.losses[at])}`;
    const rate = `${words.rate} ${Number(run.rates[at].toPrecision(4))}`;
    this.input.setAttribute("aria-valuetext", `${said}: ${loss}`);
    this.reading?.replaceChildren(make("b", {}, said), make("span", {}, loss), make("span", {}, rate));
  }
}

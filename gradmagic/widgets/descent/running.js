// A descent while it runs: the bar, the Stop button, and curves that grow as the kernel sends them.
import { fillText, make, put } from "../elements.js";
import { formatNumber } from "../sidebar/numbers.js";
import { listTicks, writeShort } from "../sidebar/plot.js";
import { placeX, placeY, thinPlaces } from "./finding.js";
import { keepKeys } from "./scrubbing.js";

const SVG_NAMES = "http://www.w3.org/2000/svg";
const WIDTH = 440;
const STEEP = 30; // times between the greatest and smallest loss: then the axis is logarithmic
const LOWEST = 1e-20; // of the greatest: what is smaller is not drawn on a logarithmic axis
export const PATIENCE = 1200; // ms that the kernel has to answer the button, before it is interrupted

/**
 * A time in words.
 * @param {number} seconds
 * @param {Record<string, string>} words
 */
export function writeTime(seconds, words) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 100) return fillText(words.seconds, { count: Math.ceil(seconds) });
  if (seconds < 6000) return fillText(words.minutes, { count: Math.ceil(seconds / 60) });
  return fillText(words.hours, { count: Math.ceil(seconds / 3600) });
}

/**
 * The axes for curves; null where there is nothing to draw.
 * @param {number[][]} curves
 * @param {number} steps
 * @param {boolean} log
 * @param {number} height
 */
export function chooseFrame(curves, steps, log, height) {
  let low = Infinity;
  let high = -Infinity;
  for (const curve of curves) {
    for (const value of curve) {
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return null;
  /** @type {[number, number]} */
  let y;
  if (log) y = [Math.max(low, high * LOWEST) / 1.3, high * 1.3];
  else {
    if (low >= 0 && low < high / 2) low = 0;
    const edge = (high - low) * 0.04 || Math.abs(high) * 0.04 || 1;
    y = [low === 0 ? 0 : low - edge, high + edge];
  }
  return { x: /** @type {[number, number]} */ ([0, Math.max(1, steps - 1)]), y, log, left: 52, top: 10, width: 376, height };
}

/** Whether values are seen better on a logarithmic axis. @param {number[]} values */
export function isSteep(values) {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  return low > 0 && finite.reduce((a, b) => Math.max(a, b), -Infinity) > STEEP * low;
}

/**
 * Round numbers to write at the vertical axis.
 * @param {any} frame
 * @returns {number[]}
 */
export function listMarks(frame) {
  const [low, high] = frame.y;
  if (!frame.log || high < STEEP * low) {
    const ticks = listTicks(high - low);
    const step = ticks[1] ?? high - low;
    const first = Math.ceil(low / step);
    const count = Math.floor(high / step) - first + 1;
    return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first + 1) / 4));
  const marks = [];
  for (let power = first; power <= last; power += every) marks.push(10 ** power);
  return marks;
}

/**
 * Path data of a curve, broken where a value is no number.
 * @param {any} frame
 * @param {number[]} values
 */
export function tracePath(frame, values) {
  let path = "";
  let drawing = false;
  for (const i of thinPlaces(values)) {
    const y = placeY(frame, values[i]);
    if (y !== null) path += `${drawing ? "L" : "M"}${placeX(frame, i).toFixed(1)} ${y.toFixed(1)}`;
    drawing = y !== null;
  }
  return path;
}

/**
 * Draws curves anew.
 * @param {HTMLElement} place
 * @param {any} frame
 * @param {{kind: string, values: number[]}[]} curves
 * @param {string} label
 */
function drawCurves(place, frame, curves, label) {
  const parts = [];
  for (const mark of listMarks(frame)) {
    const y = placeY(frame, mark);
    if (y === null) continue;
    parts.push(`<path class="gm-grid" d="M${frame.left} ${y.toFixed(1)}h${frame.width}"/>`);
    parts.push(`<text x="${frame.left - 6}" y="${(y + 4).toFixed(1)}" text-anchor="end">${writeShort(mark)}</text>`);
  }
  const bottom = frame.top + frame.height;
  for (const step of [0, frame.x[1]]) {
    const x = placeX(frame, step);
    parts.push(`<text x="${x}" y="${bottom + 16}" text-anchor="${step ? "end" : "start"}">${step}</text>`);
  }
  for (const { kind, values } of curves) parts.push(`<path class="${kind}" d="${tracePath(frame, values)}"/>`);
  let svg = place.querySelector("svg");
  if (!svg) {
    svg = document.createElementNS(SVG_NAMES, "svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    svg.setAttribute("width", String(WIDTH));
    svg.setAttribute("height", String(bottom + 24));
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${bottom + 24}`);
    place.append(svg);
  }
  svg.innerHTML = parts.join(""); // numbers and names of classes only
}

/** What the kernel has told so far, whatever views there are. */
export class Story {
  constructor() {
    /** @type {{rate: number, losses: number[], rates: number[], norms: number[][]}[]} */
    this.runs = [];
    /** @type {any} */
    this.last = null;
    this.stopping = false;
  }

  /**
   * News: step by step the loss, the learning rate, and the norm of each source's gradient.
   * @param {any} message
   * @param {DataView} [buffer] float32, little endian
   */
  hear(message, buffer) {
    if (message.kind === "stopping") this.stopping = true;
    if (message.kind !== "progress") return;
    this.last = message;
    const run = (this.runs[message.run] ??= { rate: message.rate, losses: [], rates: [], norms: message.names.map(() => []) });
    const columns = 2 + message.names.length;
    const rows = buffer ? Math.floor(buffer.byteLength / 4 / columns) : 0;
    for (let row = 0; row < rows; row += 1) {
      const read = (/** @type {number} */ i) => /** @type {DataView} */ (buffer).getFloat32(4 * (row * columns + i), true);
      const at = message.from + row; // (a page that came late has a gap before)
      run.losses[at] = read(0);
      run.rates[at] = read(1);
      run.norms.forEach((norm, i) => (norm[at] = read(2 + i)));
    }
  }
}

/** The view of a story that goes on. */
export class RunningView {
  /**
   * @param {HTMLElement} root the section
   * @param {Story} story
   * @param {Record<string, string>} words
   * @param {{stop: () => void, interrupt: (() => void) | null}} kernel
   * @param {AbortSignal} signal
   */
  constructor(root, story, words, kernel, signal) {
    Object.assign(this, { root, story, words, kernel });
    this.progress = /** @type {HTMLProgressElement} */ (root.querySelector("progress"));
    this.button = /** @type {HTMLButtonElement} */ (root.querySelector(".gm-stop"));
    this.logarithmic = /** @type {boolean | null} */ (null); // null: as suits the losses
    this.timers = /** @type {any[]} */ ([]);
    this.button.addEventListener("click", () => this.#isWaiting() || this.#stop(), { signal });
    signal.addEventListener("abort", () => this.timers.forEach(clearTimeout));
    keepKeys(root, signal);
    this.#addSwitch(signal);
    this.draw();
  }

  /** @param {AbortSignal} signal */
  #addSwitch(signal) {
    this.choices = [false, true].map((log) => {
      const button = make("button", { type: "button" }, log ? this.words.logarithmic : this.words.linear);
      button.addEventListener("click", () => {
        this.logarithmic = log;
        this.draw();
      }, { signal });
      return button;
    });
    this.#part("switch")?.replaceChildren(...this.choices);
  }

  /** @param {string} name @returns {HTMLElement | null} */
  #part(name) {
    return this.root.querySelector(`[data-k="${name}"]`);
  }

  /**
   * Asks the kernel to stop; where it does not hear that while it works, interrupts it; and where
   * this front-end can't, says how to.
   */
  #stop() {
    const { kernel, words } = this;
    this.#wait(true);
    kernel.stop();
    this.timers.push(setTimeout(() => {
      if (this.story.stopping) return;
      kernel.interrupt?.();
      if (!kernel.interrupt) this.#sayDeaf();
      else this.timers.push(setTimeout(() => this.#sayDeaf(), 3 * PATIENCE));
    }, PATIENCE));
  }

  #sayDeaf() {
    if (this.story.stopping) return;
    const said = this.#part("deaf");
    if (!said) return;
    said.hidden = false;
    put(said, this.words.deaf);
    this.#wait(false);
  }

  /** Not disabled: that would take the focus away. @param {boolean} waiting for the kernel to stop */
  #wait(waiting) {
    this.button.setAttribute("aria-disabled", String(waiting));
    put(this.button, waiting ? this.words.stopping : this.words.stop);
  }

  #isWaiting() {
    return this.button.getAttribute("aria-disabled") === "true";
  }

  draw() {
    const { story, words } = this;
    const news = story.last;
    if (story.stopping) this.#wait(true);
    if (!news) return;
    const run = story.runs[news.run];
    this.progress.value = (news.run + news.done / news.steps) / news.runs;
    const said = [fillText(words.running, { done: news.done, steps: news.steps })];
    if (news.runs > 1) {
      said.unshift(fillText(words.run, { run: news.run + 1, runs: news.runs, rate: Number(news.rate.toPrecision(4)) }));
    }
    if (news.pace) said.push(fillText(words.pace, { pace: formatNumber(news.pace, 3) }));
    if (news.left && news.done < news.steps) said.push(fillText(words.left, { left: writeTime(news.left, words) }));
    put(this.#part("said"), said.join(" \u00b7 "));
    put(this.#part("loss"), formatNumber(run.losses.at(-1) ?? NaN));
    put(this.#part("rate"), `${words.rate} ${Number((run.rates.at(-1) ?? news.rate).toPrecision(4))}`);
    this.#drawLosses(news);
    this.#drawNorms(run, news);
  }

  /** @param {any} news */
  #drawLosses(news) {
    const { story, words } = this;
    const place = this.#part("losses");
    const curves = story.runs.map((run) => run.losses);
    const log = this.logarithmic ?? isSteep(curves.flat());
    this.choices?.forEach((button, i) => button.setAttribute("aria-pressed", String(Boolean(i) === log)));
    const frame = chooseFrame(curves, news.steps, log, 180);
    if (!place || !frame) return;
    this.root.dataset.chosen = String(news.run);
    drawCurves(place, frame, curves.map((values, i) => ({ kind: `gm-curve gm-run-${i}`, values })), words.loss_curve);
  }

  /** @param {any} run @param {any} news */
  #drawNorms(run, news) {
    const place = this.#part("norms");
    const frame = chooseFrame(run.norms, news.steps, isSteep(run.norms.flat()), 90);
    if (!place || !frame) return;
    const curves = run.norms.map((/** @type {number[]} */ values, /** @type {number} */ i) => ({ kind: `gm-norm gm-dash-${i}`, values }));
    drawCurves(place, frame, curves, this.words.norm_curve);
    const keys = this.#part("keys");
    if (!keys || keys.childElementCount || news.names.length < 2) return;
    keys.replaceChildren(...news.names.map((/** @type {string} */ name, /** @type {number} */ i) => {
      const sample = make("span");
      sample.innerHTML = `<svg width="28" height="8" aria-hidden="true"><path class="gm-norm gm-dash-${i}" d="M0 4h28"/></svg>`;
      return make("span", { class: "gm-name" }, sample, make("code", {}, name));
    }));
  }
}

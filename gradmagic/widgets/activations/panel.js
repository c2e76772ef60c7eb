// The panel: one point that all functions share, moved by hand or by keys.
import { makeCopyButton, plainMinus } from "../copying.js";
import { watchScrolling } from "../scrolling.js";
import { fillTemplate, fillText, make, put } from "../elements.js";
import { formatEntry, formatNumber, formatPlace } from "../sidebar/numbers.js";
import { CurveChart } from "./chart.js";
import { Curves, findSaturated, movePoint, sayShare } from "./numbers.js";
import { SoftmaxPanel } from "./softmax.js";
import { StackPlot } from "./stack.js";

/** @param {number} x */
const sayPlace = (x) => (Math.abs(x) >= 1000 ? formatNumber(x, 4) : formatPlace(x));

export class ActivationPanel {
  /**
   * @param {HTMLElement} root the section
   * @param {import("./numbers.js").Lab} lab
   * @param {Float64Array} block
   * @param {Float32Array} table
   */
  constructor(root, lab, block, table) {
    this.lab = lab;
    this.ended = new AbortController();
    this.signal = this.ended.signal;
    /** @type {Record<string, HTMLElement>} */
    this.parts = {};
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-k]"))) {
      this.parts[part.dataset.k ?? ""] = part;
    }
    this.root = root;
    root.classList.add("gm-ready");
    this.#listenToKeys();
    this.#addCopyButtons();
    watchScrolling(root, lab.words.scrolls, this.signal);
    if (lab.softmax) {
      new SoftmaxPanel(root, lab, table, (logits) => {
        this.#writeCode("softmax", { z: `[${logits.join(", ")}]`, call: lab.softmax?.call ?? "" });
      }, this.signal);
    }
    if (lab.curves.length) this.#mountCurves(block);
  }

  /** @param {Float64Array} block */
  #mountCurves(block) {
    const { lab, parts, signal } = this;
    this.curves = new Curves(block, lab.points, lab.depth);
    this.at = lab.start;
    this.lead = 0;
    this.bound = lab.bound;
    this.layers = lab.layers;
    this.rows = this.#listRows("rows");
    this.stackRows = this.#listRows("stack-rows");
    const marks = this.rows.map((row) => row.root.querySelector(".gm-mark")?.getAttribute("d") ?? "");
    this.charts = ["value", "slope"].map((key) =>
      new CurveChart(parts[`chart-${key}`], lab.frames[key], marks, key === "value"));
    for (const chart of this.charts) this.#connect(chart);
    this.stack = new StackPlot(parts.stack, lab, this.curves, marks);
    const wide = new ResizeObserver(() => this.#drawStack());
    wide.observe(parts.stack);
    signal.addEventListener("abort", () => wide.disconnect());
    this.#addSlider("bound", lab.bounds.length - 1, 0, this.bound, (value) => {
      this.bound = value;
      this.#drawBound();
    });
    this.#addSlider("layers", lab.depth, 1, this.layers, (value) => {
      this.layers = value;
      this.#drawStack();
    });
    this.bring(0);
  }

  /** @param {string} key of a table's body */
  #listRows(key) {
    return [...this.parts[key].children].map((root, i) => {
      /** @type {Record<string, any>} */
      const row = { root };
      for (const cell of root.querySelectorAll("[data-c]")) row[cell.getAttribute("data-c") ?? ""] = cell;
      const head = /** @type {HTMLElement} */ (root.querySelector("th"));
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => this.bring(i), { signal: this.signal });
      return { ...row, root, button };
    });
  }

  /** @param {CurveChart} chart */
  #connect(chart) {
    const { svg } = chart;
    const { signal, lab, curves } = this;
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "slider");
    svg.setAttribute("aria-valuemin", String(curves.x[0]));
    svg.setAttribute("aria-valuemax", String(curves.x[lab.points - 1]));
    const reach = curves.x[lab.points - 1] - curves.x[0];
    /** @param {PointerEvent} event */
    const follow = (event) => {
      const at = Math.round(((chart.readX(event) - curves.x[0]) / reach) * (lab.points - 1));
      this.move(Math.max(0, Math.min(lab.points - 1, at)));
    };
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      svg.setPointerCapture(event.pointerId);
      follow(event);
    }, { signal });
    svg.addEventListener("pointermove", (event) => {
      if (svg.hasPointerCapture(event.pointerId)) follow(event);
    }, { signal });
  }

  /** JupyterLab and Notebook 7 take keys for their cells, in the capturing phase of the document. */
  #listenToKeys() {
    window.addEventListener("keydown", (event) => {
      const focused = event.target instanceof Element ? event.target : null;
      if (!focused || !this.root.contains(focused)) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!focused.matches("svg, button, summary, input")) return;
      event.stopPropagation(); // the window comes before the document
      const at = focused.matches("svg") ? movePoint(event, this.at, this.lab.points) : null;
      if (at === null) return;
      event.preventDefault();
      this.move(at);
    }, { capture: true, signal: this.signal });
  }

  /**
   * @param {string} key
   * @param {number} most
   * @param {number} least
   * @param {number} value
   * @param {(value: number) => void} onMove
   */
  #addSlider(key, most, least, value, onMove) {
    const input = /** @type {HTMLInputElement} */ (make("input", {
      type: "range", min: String(least), max: String(most), step: "1", value: String(value),
    }));
    this.parts[key].replaceChildren(input);
    this.sliders = { ...this.sliders, [key]: input };
    input.addEventListener("input", () => onMove(Number(input.value)), { signal: this.signal });
  }

  /**
   * Brings a function to the front: its saturation is shaded, and the sentences are about it.
   * @param {number} lead
   */
  bring(lead) {
    this.lead = lead;
    for (const rows of [this.rows, this.stackRows]) {
      rows.forEach(({ root, button }, i) => {
        root.classList.toggle("gm-lead", i === lead);
        button.setAttribute("aria-pressed", String(i === lead));
      });
    }
    for (const chart of this.charts) chart.bring(lead);
    this.#drawBound();
  }

  #drawBound() {
    const { lab, curves, lead, parts } = this;
    const bound = lab.bounds[this.bound];
    const stretches = findSaturated(curves.x, curves.drawnSlopes(lead), bound);
    for (const chart of this.charts) chart.shade(stretches);
    const words = fillText(lab.words.bound, { bound });
    put(parts["bound-words"], words);
    this.sliders.bound.setAttribute("aria-label", words);
    this.sliders.bound.setAttribute("aria-valuetext", String(bound));
    if (lab.spread) {
      const [tensor, count] = lab.spread;
      lab.curves.forEach(({ shares }, i) => put(this.rows[i].share, sayShare(shares[this.bound])));
      const { name, shares } = lab.curves[lead];
      put(parts.spread, fillText(lab.words.share, { share: sayShare(shares[this.bound]), count, tensor, name }));
      this.sliders.bound.setAttribute("aria-valuetext", `${bound}; ${parts.spread.textContent}`);
    }
    this.move(this.at);
  }

  /**
   * Moves the point: look-ups alone.
   * @param {number} at
   */
  move(at) {
    this.at = at;
    const { lab, curves, lead } = this;
    const x = curves.x[at];
    const values = lab.curves.map((_, i) => curves.values(i)[at]);
    const slopes = lab.curves.map((_, i) => curves.slopes(i)[at]);
    const [value, slope] = this.charts;
    value.move(x, values, slopes, lead);
    slope.move(x, slopes.map((one, i) => (Number.isFinite(values[i]) ? one : NaN)), slopes, lead);
    const bound = lab.bounds[this.bound];
    this.rows.forEach((row, i) => {
      put(row.value, formatEntry(values[i]));
      put(row.slope, formatEntry(slopes[i]));
      const flat = Math.abs(slopes[i]) < bound;
      put(row.flat, flat ? ` ${lab.words.flat}` : "");
      row.cell.classList.toggle("gm-flat-here", flat);
    });
    this.#say(x, values[lead], slopes[lead], bound);
    this.#drawStack();
    const { call, dtype } = lab.curves[lead];
    this.#writeCode("curve", { x: writePlain(x), call, dtype });
  }

  /** @param {number} x @param {number} value @param {number} slope @param {number} bound */
  #say(x, value, slope, bound) {
    const { words, curves } = this.lab;
    const { name } = curves[this.lead];
    const written = formatEntry(slope);
    let template = words.moves;
    if (!Number.isFinite(value) || !Number.isFinite(slope)) template = words.nothing;
    else if (slope === 0) template = words.dead;
    else if (Math.abs(slope) < bound) template = words.saturated;
    this.parts.claim.replaceChildren(
      ...fillTemplate(template, { x: sayPlace(x), name, slope: make("span", { class: "gm-g" }, written) }));
    const said = fillText(words.reads, { x: sayPlace(x), name, value: formatEntry(value), slope: written });
    for (const { svg } of this.charts) {
      svg.setAttribute("aria-valuenow", String(x));
      svg.setAttribute("aria-valuetext", plainMinus(said));
    }
  }

  #drawStack() {
    const { lab, curves, layers, at } = this;
    this.stack.draw(at, this.lead, layers);
    this.stackRows.forEach((row, i) => {
      put(row.chain, formatEntry(curves.chain(i, layers, at)));
      put(row.best, formatEntry(lab.curves[i].best[layers - 1] ?? Infinity));
    });
    const words = fillText(lab.words.layers, { n: layers });
    put(this.parts["layers-words"], words);
    this.sliders.layers.setAttribute("aria-label", words);
    const chains = lab.curves.map(({ name }, i) => `${name} ${formatEntry(curves.chain(i, layers, at))}`);
    this.sliders.layers.setAttribute("aria-valuetext", plainMinus([String(layers), ...chains].join("; ")));
    const { call, dtype } = lab.curves[this.lead];
    this.#writeCode("stack", { x: writePlain(curves.x[at]), call, dtype, n: layers });
  }

  #addCopyButtons() {
    this.codes = {};
    for (const key of Object.keys(this.lab.codes)) {
      const pre = this.parts[`code-${key}`];
      if (!pre) continue;
      const code = make("code", {}, pre.textContent ?? "");
      this.codes[key] = code;
      pre.replaceChildren(code);
      const read = () => code.textContent ?? "";
      pre.before(makeCopyButton("gm-link gm-copy", code, read, this.lab.words, this.signal));
    }
  }

  /** @param {string} key @param {Record<string, string | number>} parts */
  #writeCode(key, parts) {
    put(this.codes[key], fillText(this.lab.codes[key], parts));
  }

  /** Takes the listeners away. */
  close() {
    this.ended.abort();
  }
}

/** @param {number} x as Python reads it */
const writePlain = (x) => String(Number(x.toPrecision(10)));

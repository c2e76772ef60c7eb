// The elements that move a sample: one slider a class, confidence, smoothing, the true class.
import { plainMinus } from "../copying.js";
import { listMarks, makeScale } from "./curves.js";
import { fillText, make, put } from "../elements.js";
import { TOO_SHORT, setBar, setSlope } from "./bars.js";
import { formatEntry, formatPlace } from "./numbers.js";

export class Sliders {
  /**
   * @param {Record<string, any>} parts of the panel, by name
   * @param {Record<string, string>} words
   * @param {(slider: number, position: number) => void} onMove
   * @param {() => void} onRelease the hand has let go
   * @param {() => void} onBack
   * @param {AbortSignal} signal takes the listeners away
   */
  constructor(parts, words, onMove, onRelease, onBack, signal) {
    Object.assign(this, { parts, words, onMove, onRelease, signal });
    /** @type {Record<string, HTMLElement>} */
    this.slots = { confidence: make("div"), smoothing: make("div") };
    /** @type {Record<string, HTMLElement>} */
    this.axes = {};
    for (const key of ["logit", "confidence", "smoothing"]) {
      this.axes[key] = make("div", { class: "gm-ax gm-s" });
    }
    this.factor = make("span", { class: "gm-v" });
    this.share = make("span", { class: "gm-v" });
    this.picker = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": words.true_class }));
    this.picker.addEventListener("change", () => {
      const slider = this.table.shown.length + 2;
      onMove(slider, this.table.findNearest(slider, Number(this.picker.value)));
    }, { signal });
    this.back = /** @type {HTMLButtonElement} */ (
      make("button", { type: "button", class: "gm-link" }, words.back));
    this.back.addEventListener("click", onBack, { signal });
    this.#build();
  }

  #build() {
    const { parts, words } = this;
    const scale = make("div", { class: "gm-ax gm-s" });
    for (const [left, text] of [[0, "\u22121"], [50, "0"], [100, "1"]]) {
      scale.append(make("span", { style: `left:${left}%` }, String(text)));
    }
    const axes = make("div", { class: "gm-row gm-axes" },
      make("span"), this.axes.logit, make("span"), scale, make("span"));
    /** @param {string} key @param {HTMLElement} value */
    const wide = (key, value) => make("div", { class: "gm-wide" },
      make("span", { class: "gm-k" }, words[key]), this.slots[key], value, make("span"), this.axes[key]);
    const picks = make("div", { class: "gm-picks" },
      make("label", {}, words.true_class, this.picker), this.back);
    parts.controls.replaceChildren(
      axes, wide("confidence", this.factor), wide("smoothing", this.share), picks);
  }

  /**
   * Fits everything to the tables of a sample.
   * @param {import("./tables.js").Table} table
   */
  fit(table) {
    this.table = table;
    this.#fitRows();
    /** @type {HTMLInputElement[]} */
    this.inputs = [];
    table.sliders.forEach((own, slider) => {
      if (own.kind !== "class") this.inputs[slider] = this.#fitInput(own, slider);
    });
    const numbers = table.shown.map(String);
    if ([...this.picker.options].map((option) => option.value).join() !== numbers.join()) {
      this.picker.replaceChildren(...numbers.map((number) => make("option", { value: number }, number)));
    }
    this.#fitAxis(this.axes.logit, table.sliders[0]);
    this.#fitAxis(this.axes.confidence, table.sliders[table.shown.length]);
    this.#fitAxis(this.axes.smoothing, table.sliders[table.shown.length + 1]);
  }

  /** As many rows as classes are shown. */
  #fitRows() {
    const { rows } = this.parts;
    const count = this.table.shown.length;
    while (rows.children.length < count) rows.append(rows.children[0].cloneNode(true));
    while (rows.children.length > count) rows.lastElementChild.remove();
    this.rows = [...rows.children].map((root, i) => {
      /** @type {Record<string, any>} */
      const row = { root };
      for (const element of root.querySelectorAll("[data-c]")) {
        row[element.getAttribute("data-c") ?? ""] = element;
      }
      put(row.k, String(this.table.shown[i]));
      return row;
    });
  }

  /** @param {import("./tables.js").Slider} own @param {number} slider */
  #fitInput(own, slider) {
    const { toScreen } = makeScale(own.kind);
    const slot = own.kind === "logit" ? this.rows[slider].slot : this.slots[own.kind];
    let input = /** @type {HTMLInputElement} */ (slot.querySelector("input"));
    if (!input || !input.dataset.own) {
      input = /** @type {HTMLInputElement} */ (make("input", { type: "range", step: "any", "data-own": "1" }));
      slot.replaceChildren(make("div", { class: "gm-sl" }, input));
      this.#connect(input);
    }
    const low = toScreen(own.positions[0]);
    const high = toScreen(own.positions[own.count - 1]);
    input.min = String(low);
    input.max = String(high);
    input.dataset.slider = String(slider);
    input.setAttribute("aria-label", fillText(this.words[own.kind], { number: String(own.number) }));
    const at = (toScreen(own.positions[own.at]) - low) / (high - low || 1);
    input.parentElement?.style.setProperty("--at", String(at));
    return input;
  }

  /** @param {HTMLInputElement} input */
  #connect(input) {
    input.addEventListener("input", () => {
      const slider = Number(input.dataset.slider);
      const { toValue } = makeScale(this.table.sliders[slider].kind);
      this.onMove(slider, this.table.findNearest(slider, toValue(Number(input.value))));
    }, { signal: this.signal });
    input.addEventListener("change", () => this.onRelease(), { signal: this.signal });
  }

  /** @param {HTMLElement} axis @param {import("./tables.js").Slider} own */
  #fitAxis(axis, own) {
    const { toScreen } = makeScale(own.kind);
    const low = toScreen(own.positions[0]);
    const high = toScreen(own.positions[own.count - 1]);
    const marks = listMarks(own).filter((_, i) => own.kind !== "logit" || i % 2 === 0);
    axis.replaceChildren(...marks.map(([value, text]) => {
      const share = (toScreen(value) - low) / (high - low || 1);
      return make("span", { style: `left:${100 * share}%` }, text);
    }));
  }

  /** @param {number} slider that is moved */
  mark(slider) {
    this.inputs.forEach((input, i) => input?.parentElement?.classList.toggle("gm-on", i === slider));
  }

  /**
   * Draws everything for a slider's position: look-ups alone.
   * @param {number} slider
   * @param {number} position
   * @param {boolean} moved
   */
  draw(slider, position, moved) {
    const { table } = this;
    const logits = table.findLogits(slider, position);
    const target = table.findTarget(slider, position);
    const trueClass = table.findTrueClass(slider, position);
    this.rows.forEach((row, i) => {
      const { probability, crossentropy, mse } = table.findClass(slider, position, i);
      setBar(row.p, probability);
      put(row.pv, formatEntry(probability));
      row.t.hidden = target[i] < TOO_SHORT;
      row.t.style.width = `${100 * target[i]}%`;
      setSlope(row.bc, crossentropy);
      setSlope(row.bm, mse);
      put(row.vc, formatEntry(crossentropy));
      put(row.vm, formatEntry(mse));
      put(row.z, formatPlace(logits[i]));
      row.root.classList.toggle("gm-true", table.shown[i] === trueClass);
      const { words } = this;
      this.#setPlace(i, logits[i], [
        `${words.predicted} ${formatEntry(probability)}`, `${words.crossentropy} ${formatEntry(crossentropy)}`, `${words.mse} ${formatEntry(mse)}`,
      ]);
    });
    const count = table.shown.length;
    const [factor, share] = [count, count + 1].map((own) => {
      const { positions, at } = table.sliders[own];
      const value = positions[own === slider ? position : at];
      this.#setPlace(own, value);
      return value;
    });
    put(this.factor, `${formatPlace(factor)} ×`);
    put(this.share, formatPlace(share));
    this.picker.value = String(trueClass);
    this.back.disabled = !moved;
  }

  /** @param {number} slider @param {number} value @param {string[]} [said] what else holds there */
  #setPlace(slider, value, said = []) {
    const input = this.inputs[slider];
    const place = String(makeScale(this.table.sliders[slider].kind).toScreen(value));
    if (input.value !== place) input.value = place;
    input.setAttribute("aria-valuetext", plainMinus([formatPlace(value), ...said].join("; ")));
  }
}

/**
 * The position that a key moves a slider's thumb to.
 * @param {string} key as KeyboardEvent names it
 * @param {number} now
 * @param {number} count
 * @returns {number | null} null where the key moves nothing
 */
export function moveThumb(key, now, count) {
  /** @type {Record<string, number>} */
  const to = {
    ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1,
    PageDown: now - 8, PageUp: now + 8, Home: 0, End: count - 1,
  };
  return key in to ? Math.max(0, Math.min(count - 1, to[key])) : null;
}

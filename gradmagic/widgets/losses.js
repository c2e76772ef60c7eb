// The sidebar: sliders over numbers that TensorFlow computed ahead. It computes none itself.
import { SliderCurves, drawRace, listMarks, makeScale, nameState } from "./curves.js";
import { formatEntry, formatNumber, formatPlace, sayNumber, sayTimes } from "./numbers.js";
import { findPlace } from "./places.js";
import { Table, readBlock } from "./tables.js";

const SETTLE = 250; // ms without a movement, after which the kernel computes new tables
const PATIENCE = 300; // ms that another slider waits for them
const BUSY = 1500; // ms without an answer, after which the kernel is said to be busy
const LONGEST_PULL = Math.SQRT2;
const TOO_SHORT = 0.003; // share of a track below which a bar is not drawn

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {(string | Node)[]} children
 */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** @param {Node | undefined} element @param {string} text */
function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/**
 * A sentence with places, as text and elements.
 * @param {string} template
 * @param {Record<string, string | Node>} parts
 * @returns {(string | Node)[]}
 */
export function fillTemplate(template, parts) {
  return template.split(/(\{\w+\})/).map((piece) => {
    const name = /^\{(\w+)\}$/.exec(piece)?.[1];
    return name && name in parts ? parts[name] : piece;
  });
}

/** @param {string} template @param {Record<string, string | number>} parts */
const fillText = (template, parts) =>
  template.replace(/\{(\w+)\}/g, (whole, name) => String(parts[name] ?? whole));

/**
 * The order of rows by a column: numbers by size, missing ones last.
 * @param {(number | null)[]} values
 * @param {boolean} falling
 */
export function sortOrder(values, falling) {
  const order = values.map((_, i) => i);
  return order.sort((a, b) => {
    const [x, y] = [values[a], values[b]];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || a - b;
    return (falling ? y - x : x - y) || a - b;
  });
}

/** What breaks in one way to write crossentropy: see name_flaw in claims.py. */
export function nameFlaw(value, gradient, stable) {
  if (Number.isNaN(value)) return "product";
  if (!Number.isFinite(value)) return "log";
  if (Number.isNaN(gradient)) return "gradient";
  return gradient === 0 && Math.abs(stable) > 1e-6 ? "clipped" : null;
}

/**
 * Where the panel asks for other tables, one question at a time: a newer one replaces one that
 * waits, so that none queue up.
 */
export class Questions {
  /** @param {(question: Record<string, any>) => void} send @param {(late: boolean) => void} onLate */
  constructor(send, onLate) {
    this.send = send;
    this.onLate = onLate;
    /** @type {Record<string, any> | null} */
    this.open = null;
    /** @type {Record<string, any> | null} */
    this.next = null;
    this.number = 0;
    this.since = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Record<string, any>} question */
  ask(question) {
    if (!this.open) return void this.#put(question);
    // a slider's move means nothing once another sample was asked for
    if (this.next && this.next.kind === "sample" && question.kind === "move") return;
    this.next = question;
  }

  #put(question) {
    this.number += 1;
    this.open = { ...question, number: this.number };
    this.since = performance.now();
    this.timer = setTimeout(() => this.onLate(true), BUSY);
    this.send(this.open);
  }

  /** @param {number} number of the question that an answer is to */
  close(number) {
    if (!this.open || this.open.number !== number) return;
    clearTimeout(this.timer);
    this.onLate(false);
    this.open = null;
    const { next } = this;
    this.next = null;
    if (next) this.#put(next);
  }

  /** Whether an answer is still to be waited for. */
  isPending() {
    return this.open !== null && performance.now() - this.since < PATIENCE;
  }

  stop() {
    clearTimeout(this.timer);
  }
}

/**
 * @typedef {object} Source where a panel's tables come from
 * @property {Record<string, any>} batch
 * @property {Record<string, string>} words
 * @property {Record<string, string>} codes templates of the code
 * @property {(sample: number) => Table | null} [find] a table that is at hand (in a saved page)
 * @property {number[]} [held] the samples whose tables are at hand
 * @property {(question: Record<string, any>) => void} [ask] asks the kernel, where there is one
 */

/** The panel on the page. */
export class Panel {
  /** @param {HTMLElement} root the section @param {Table} table @param {Source} source */
  constructor(root, table, source) {
    this.root = root;
    this.table = table;
    this.source = source;
    this.words = source.words;
    this.listening = new AbortController();
    /** @type {Record<string, HTMLElement>} */
    this.parts = {};
    for (const element of root.querySelectorAll("[data-k]")) {
      this.parts[element.getAttribute("data-k") ?? ""] = /** @type {HTMLElement} */ (element);
    }
    root.classList.add("gm-ready");
    root.classList.toggle("gm-live-kernel", Boolean(source.ask));
    this.questions = source.ask ? new Questions(source.ask, (late) => this.sayLate(late)) : null;
    /** @type {[number, number] | null} */
    this.wanted = null;
    this.slider = table.findTrueSlider();
    this.position = table.sliders[this.slider].at;
    this.#addStepper();
    this.#addSamples();
    this.#addControls();
    this.#addCopying();
    this.#addRace();
    this.#addPlot();
    this.#listen();
    this.showTable(table);
  }

  /** @returns {AddEventListenerOptions} */
  get #until() {
    return { signal: this.listening.signal };
  }

  close() {
    this.listening.abort();
    this.questions?.stop();
    clearTimeout(this.settling);
    this.observer?.disconnect();
  }

  // ---- tables

  /** @param {Table} table the tables of a sample, or of where its sliders have come */
  showTable(table) {
    const before = this.table;
    const value = before.sliders[this.slider].positions[this.position];
    const kind = before.sliders[this.slider].kind;
    const same = table.sample === before.sample && table.trueClass === before.trueClass && before !== table;
    this.table = table;
    this.#buildRows();
    if (same && kind !== "class") {
      this.position = table.findNearest(this.slider, value);
    } else {
      this.slider = table.findTrueSlider();
      this.position = table.sliders[this.slider].at;
    }
    this.#setSliders();
    this.#markSample();
    this.drawCurves();
    this.draw();
    if (!same) this.#advise();
    if (this.wanted) {
      const [slider, wish] = this.wanted;
      this.wanted = null;
      this.move(slider, table.findNearest(slider, wish));
    }
  }

  /** @param {number} number of the question that was answered */
  answer(number) {
    this.questions?.close(number);
  }

  /** @param {boolean} late */
  sayLate(late) {
    if (!this.parts.message.dataset.error) this.say(late ? this.words.waiting : "");
  }

  /** @param {string} text a line above everything, or none */
  say(text, error = false) {
    put(this.parts.message, text);
    this.parts.message.hidden = !text;
    if (error) this.parts.message.dataset.error = "1";
    else delete this.parts.message.dataset.error;
  }

  // ---- moving

  /** @param {number} slider @param {number} position */
  move(slider, position) {
    const { table } = this;
    const away = this.position !== table.sliders[this.slider].at;
    if (slider !== this.slider && away) {
      if (this.questions?.isPending() || this.#settleNow()) {
        this.wanted = [slider, table.sliders[slider].positions[position]];
        return;
      } // else the other sliders go back to where the tables have them
    }
    const changed = slider !== this.slider;
    this.slider = slider;
    this.position = Math.max(0, Math.min(table.sliders[slider].count - 1, position));
    this.#markSlider();
    if (changed) this.drawCurves();
    this.draw();
    if (!this.questions) return;
    clearTimeout(this.settling);
    if (this.position === table.sliders[slider].at) return;
    this.settling = setTimeout(() => this.#settleNow(), table.sliders[slider].kind === "class" ? 0 : SETTLE);
  }

  /** Ask for tables from where the slider stands now. */
  #settleNow() {
    clearTimeout(this.settling);
    if (!this.questions) return false;
    this.questions.ask({ kind: "move", sample: this.table.sample, slider: this.slider, position: this.position });
    return true;
  }

  /** @param {number} sample */
  choose(sample) {
    if (this.questions) {
      clearTimeout(this.settling);
      this.wanted = null;
      this.questions.ask({ kind: "sample", sample });
      this.#markSample(sample);
      return;
    }
    const table = this.source.find?.(sample);
    if (table) this.showTable(table);
  }

  /** @param {number} by */
  step(by) {
    const order = [...this.parts.samples.children]
      .filter((row) => row.classList.contains("gm-choose"))
      .map((row) => Number(/** @type {HTMLElement} */ (row).dataset.sample));
    const at = order.indexOf(this.questions?.next?.sample ?? this.questions?.open?.sample ?? this.table.sample);
    this.choose(order[(at + by + order.length) % order.length]);
  }

  // ---- drawing: nothing but look-ups

  draw() {
    this.#drawClaim();
    this.#drawRows();
    this.curves?.point(this.position);
    this.#drawWays();
    this.#drawCode();
  }

  /** @param {string} name */
  find(name) {
    return this.table.find(this.slider, this.position, name);
  }

  #drawClaim() {
    const { table, words, parts } = this;
    const [ce, mse, state] = ["crossentropy_pull", "mse_pull", "state"].map((name) => this.find(name));
    const trueClass = table.findTrueClass(this.slider, this.position);
    const own = table.findClass(this.slider, this.position, table.shown.indexOf(trueClass));
    const moved = table.moved || this.position !== table.sliders[this.slider].at;
    put(parts.which, fillText(moved ? words.sample_moved : words.sample, { sample: table.sample }));
    /** @param {string} text @param {string} loss */
    const colour = (text, loss) => make("span", { class: loss }, text);
    /** @param {number} value */
    const say = (value) => (value === 0 ? words.exactly : sayNumber(value));
    parts.claim.replaceChildren(...fillTemplate(words[`claim_${nameState(state, own.probability)}`], {
      sample: String(table.sample),
      crossentropy: colour(words.crossentropy, "gm-ce"),
      mse: colour(words.mse, "gm-mse"),
      crossentropy_pull: colour(say(ce), "gm-ce gm-n"),
      mse_pull: colour(say(mse), "gm-mse gm-n"),
    }));
    setBar(parts["pull-ce"], ce / LONGEST_PULL);
    setBar(parts["pull-mse"], mse / LONGEST_PULL);
    put(parts["pull-ce-v"], formatEntry(ce));
    put(parts["pull-mse-v"], formatEntry(mse));
    const ratio = this.find("ratio");
    const times = mse && ratio >= 1 ? sayTimes(ratio) : "";
    put(parts.ratio, mse === 0 ? words.exactly : times ? fillText(words.times_shorter, { times }) : "");
    put(parts.short, mse > 0 && mse / LONGEST_PULL < TOO_SHORT ? words.too_short : "");
    parts.note.style.left = `calc(${(100 * mse) / LONGEST_PULL}% + 8px)`;
    if (this.back) this.back.disabled = !moved;
  }

  #drawRows() {
    const { table } = this;
    const logits = table.findLogits(this.slider, this.position);
    const target = table.findTarget(this.slider, this.position);
    const trueClass = table.findTrueClass(this.slider, this.position);
    this.rows.forEach((row, i) => {
      const { probability, crossentropy, mse } = table.findClass(this.slider, this.position, i);
      row.p.style.width = `${probability < TOO_SHORT ? 0 : 100 * probability}%`;
      put(row.pv, formatEntry(probability));
      row.t.hidden = target[i] < TOO_SHORT;
      row.t.style.width = `${100 * target[i]}%`;
      setSlope(row.bc, crossentropy);
      setSlope(row.bm, mse);
      put(row.vc, formatEntry(crossentropy));
      put(row.vm, formatEntry(mse));
      put(row.z, formatPlace(logits[i]));
      row.root.classList.toggle("gm-true", table.shown[i] === trueClass);
      this.#setValue(i, logits[i]);
    });
    const { confidence, smoothing } = this.#numbers();
    this.#setValue(confidence, this.#findPlace(confidence));
    this.#setValue(smoothing, this.#findPlace(smoothing));
    put(this.factor, `${formatPlace(this.#findPlace(confidence))} ×`);
    put(this.share, formatPlace(this.#findPlace(smoothing)));
    if (this.picker && document.activeElement !== this.picker) this.picker.value = String(trueClass);
    else if (this.picker) this.picker.value = String(trueClass);
  }

  /** Numbers of the sliders that are no logit's. */
  #numbers() {
    const count = this.table.shown.length;
    return { confidence: count, smoothing: count + 1, trueClass: count + 2 };
  }

  /** @param {number} slider where its thumb stands */
  #findPlace(slider) {
    const { positions, at } = this.table.sliders[slider];
    return positions[slider === this.slider ? this.position : at];
  }

  /** @param {number} slider @param {number} value */
  #setValue(slider, value) {
    const input = this.inputs[slider];
    const text = formatPlace(value).replaceAll("\u2212", "-");
    const place = String(makeScale(this.table.sliders[slider].kind).toScreen(value));
    if (input.value !== place) input.value = place;
    if (input.getAttribute("aria-valuetext") !== text) input.setAttribute("aria-valuetext", text);
  }

  #drawWays() {
    const { table, words } = this;
    const trueClass = table.findTrueClass(this.slider, this.position);
    const stable = table.findClass(this.slider, this.position, table.shown.indexOf(trueClass)).crossentropy;
    const ways = [
      [this.find("probabilities"), this.find("probabilities_gradient")],
      [this.find("hand"), this.find("hand_gradient")],
      [this.find("crossentropy"), stable],
    ];
    ways.forEach(([value, gradient], i) => {
      const flaw = nameFlaw(value, gradient, stable);
      const written = formatNumber(value, 7);
      const slope = formatNumber(gradient, 5);
      const cell = this.parts[`way-${i}`];
      const below = flaw ? fillText(words[`flaw_${flaw}`], { gradient: slope }) : slope;
      if (cell.dataset.now === written + below) return;
      cell.dataset.now = written + below;
      cell.replaceChildren(
        flaw === "log" || flaw === "product" ? make("b", {}, written) : written,
        make("div", flaw ? { class: "gm-flaw" } : {}, below),
      );
    });
  }

  /** The code of the parts that move, where it is open. */
  #drawCode() {
    const { table, slider, position } = this;
    /** @param {ArrayLike<number>} row */
    const write = (row) => `[${Array.from(row, (value) => Number(value.toPrecision(9))).join(", ")}]`;
    const { kind, number } = table.sliders[slider];
    const along = kind === "class" ? "logit" : kind;
    for (const key of ["hand", "curve", "stability"]) {
      const pre = this.parts[`code-${key}`];
      const template = this.source.codes[key === "curve" ? `curve_${along}` : key];
      if (!template || !pre.closest("details")?.open) continue;
      // along a slider the row is the one that the others make
      const at = key === "curve" ? table.sliders[slider].at : position;
      const text = fillText(template, {
        logits: kind === "confidence" && key === "curve" ? write(this.#findDirection()) : write(table.findLogits(slider, at)),
        target: write(kind === "smoothing" && key === "curve" ? table.findTarget(slider, 0) : table.findTarget(slider, at)),
        number: String(number ?? table.trueClass),
      });
      put(pre.querySelector("code") ?? pre, text);
    }
  }

  /** The logits at confidence 1. */
  #findDirection() {
    const { confidence } = this.#numbers();
    return this.table.findLogits(confidence, this.table.findNearest(confidence, 1));
  }

  drawCurves() {
    const { table, words, parts } = this;
    let { slider } = this;
    if (table.sliders[slider].kind === "class") slider = table.findTrueSlider();
    const { kind, number, stuck } = table.sliders[slider];
    const own = slider === table.findTrueSlider();
    const title = kind === "logit" ? (own ? words.along_true : words.along_logit) : words[`along_${kind}`];
    put(parts["h-curve"], fillText(title, { number: String(number) }));
    const reason = kind !== "logit" ? kind : own ? (stuck.length ? "stuck" : "true") : "other";
    put(parts.reason, words[`reason_${reason}`]);
    this.curves = new SliderCurves(parts.plot, table, slider, this.source.batch, words);
    if (slider !== this.slider) this.curves.point = () => {};
    this.plotWidth = parts.plot.clientWidth;
  }

  // ---- building

  #buildRows() {
    const { parts, table } = this;
    const template = parts.rows.children[0];
    while (parts.rows.children.length < table.shown.length) {
      parts.rows.append(template.cloneNode(true));
    }
    while (parts.rows.children.length > table.shown.length) parts.rows.lastElementChild?.remove();
    this.rows = [...parts.rows.children].map((root) => {
      /** @type {Record<string, any>} */
      const row = { root };
      for (const element of root.querySelectorAll("[data-c]")) row[element.getAttribute("data-c") ?? ""] = element;
      return row;
    });
  }

  /** The sliders' own elements: made once, and fitted to each table. */
  #setSliders() {
    const { table, words } = this;
    /** @type {HTMLInputElement[]} */
    this.inputs = [];
    table.sliders.forEach((own, slider) => {
      if (own.kind === "class") return;
      const { toScreen } = makeScale(own.kind);
      const slot = own.kind === "logit" ? this.rows[slider].slot : this.slots[own.kind];
      let input = slot.querySelector("input");
      if (!input) {
        input = make("input", { type: "range", step: "any" });
        slot.replaceChildren(make("div", { class: "gm-sl" }, input));
        this.#connect(input);
      }
      const low = toScreen(own.positions[0]);
      const high = toScreen(own.positions[own.count - 1]);
      Object.assign(input, { min: String(low), max: String(high) });
      input.setAttribute("min", String(low));
      input.setAttribute("max", String(high));
      input.dataset.slider = String(slider);
      input.setAttribute("aria-label", fillText(words[own.kind], { number: String(own.number) }));
      const at = (toScreen(own.positions[own.at]) - low) / (high - low);
      input.parentElement?.style.setProperty("--at", String(at));
      this.inputs[slider] = input;
      if (own.kind === "logit") put(this.rows[slider].k, String(own.number));
    });
    this.#setPicker();
    this.#setAxes();
    this.#markSlider();
  }

  /** @param {HTMLInputElement} input */
  #connect(input) {
    const slider = () => Number(input.dataset.slider);
    const toValue = (/** @type {string} */ place) => makeScale(this.table.sliders[slider()].kind).toValue(Number(place));
    input.addEventListener("input", () => {
      this.move(slider(), this.table.findNearest(slider(), toValue(input.value)));
    }, this.#until);
    input.addEventListener("change", () => {
      if (this.position !== this.table.sliders[this.slider].at) this.#settleNow();
    }, this.#until);
  }

  #setPicker() {
    const { table } = this;
    const numbers = table.shown.map(String);
    if ([...this.picker.options].map((option) => option.value).join() === numbers.join()) return;
    this.picker.replaceChildren(...numbers.map((number) => make("option", { value: number }, number)));
  }

  #setAxes() {
    /** @param {HTMLElement} axis @param {import("./tables.js").Slider} own */
    const fill = (axis, own) => {
      const { toScreen } = makeScale(own.kind);
      const low = toScreen(own.positions[0]);
      const high = toScreen(own.positions[own.count - 1]);
      axis.replaceChildren(...listMarks(own).map(([value, text]) => {
        const share = (toScreen(value) - low) / (high - low);
        return make("span", { style: `left:${100 * share}%` }, text);
      }));
    };
    const { confidence, smoothing } = this.#numbers();
    fill(this.axes.logit, this.table.sliders[0]);
    fill(this.axes.confidence, this.table.sliders[confidence]);
    fill(this.axes.smoothing, this.table.sliders[smoothing]);
  }

  #addControls() {
    const { words } = this;
    this.slots = { confidence: make("div"), smoothing: make("div") };
    this.axes = {};
    for (const key of ["logit", "confidence", "smoothing"]) this.axes[key] = make("div", { class: "gm-ax gm-s" });
    this.factor = make("span", { class: "gm-v" });
    this.share = make("span", { class: "gm-v" });
    this.picker = make("select", { "aria-label": words.true_class });
    this.picker.addEventListener("change", () => {
      const { trueClass } = this.#numbers();
      this.move(trueClass, this.table.findNearest(trueClass, Number(this.picker.value)));
    }, this.#until);
    this.back = make("button", { type: "button", class: "gm-link" }, words.back);
    this.back.addEventListener("click", () => this.#goBack(), this.#until);
    const scale = make("div", { class: "gm-ax gm-s" });
    for (const [left, text] of [[0, "\u22121"], [50, "0"], [100, "1"]]) {
      scale.append(make("span", { style: `left:${left}%` }, String(text)));
    }
    this.parts.controls.replaceChildren(
      make("div", { class: "gm-row gm-axes" }, make("span"), this.axes.logit, make("span"), scale, make("span")),
      make("div", { class: "gm-wide" }, make("span", { class: "gm-k" }, words.confidence), this.slots.confidence, this.factor, make("span"), this.axes.confidence),
      make("div", { class: "gm-wide" }, make("span", { class: "gm-k" }, words.smoothing), this.slots.smoothing, this.share, make("span"), this.axes.smoothing),
      make("div", { class: "gm-picks" }, make("label", {}, words.true_class, this.picker), this.back),
    );
    put(this.parts["others-back"], this.questions ? "" : words.others_back);
  }

  #goBack() {
    if (this.questions) this.choose(this.table.sample);
    else {
      this.position = this.table.sliders[this.slider].at;
      this.move(this.slider, this.position);
    }
    this.inputs[this.slider]?.focus();
  }

  #addStepper() {
    const { parts, words } = this;
    /** @param {string} text @param {string} label @param {number} by */
    const button = (text, label, by) => {
      const made = make("button", { type: "button", "aria-label": label }, text);
      made.addEventListener("click", () => this.step(by), this.#until);
      return made;
    };
    parts.step.prepend(button("‹", words.previous, -1));
    parts.step.append(button("›", words.next, 1));
  }

  #addSamples() {
    const { parts, words, source } = this;
    for (const row of parts.samples.children) {
      const sample = Number(row.getAttribute("data-sample"));
      if (source.held && !source.held.includes(sample)) continue;
      const head = row.querySelector("th");
      const button = make("button", { type: "button", "aria-label": fillText(words.select, { sample }) }, String(sample));
      head?.replaceChildren(button);
      row.classList.add("gm-choose");
      row.addEventListener("click", () => this.choose(sample), this.#until);
    }
    for (const head of parts.per.querySelectorAll("[data-sort]")) {
      const button = make("button", { type: "button" }, head.textContent ?? "");
      head.replaceChildren(button);
      button.addEventListener("click", () => this.#sort(head), this.#until);
    }
  }

  /** @param {Element} head of the column to sort by; once more: the other way round */
  #sort(head) {
    const { batch } = this.source;
    const key = head.getAttribute("data-sort") ?? "";
    const falling = head.getAttribute("aria-sort") === "ascending"
      || (head.getAttribute("aria-sort") === null && key in batch && key !== "samples");
    const rows = /** @type {HTMLElement[]} */ ([...this.parts.samples.children]);
    const values = rows.map((row) =>
      key in batch ? batch[key][Number(row.dataset.at)] : Number(row.dataset[key]));
    for (const other of this.parts.per.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    this.parts.samples.append(...sortOrder(values, falling).map((i) => rows[i]));
  }

  #markSample(sample = this.table.sample) {
    for (const row of this.parts.samples.children) {
      const chosen = Number(row.getAttribute("data-sample")) === sample;
      if (chosen) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
      row.querySelector("th button")?.setAttribute("aria-pressed", String(chosen));
    }
  }

  #markSlider() {
    this.inputs.forEach((input, i) => input?.parentElement?.classList.toggle("gm-on", i === this.slider));
  }

  #advise() {
    const state = nameState(this.find("state"), 0);
    const key = state === "unsure" || state === "right" ? "right" : state === "stuck" ? "stuck" : "wrong";
    put(this.parts.advice, fillText(this.words[`advice_${key}`], { number: this.table.trueClass }));
  }

  #addPlot() {
    const { plot } = this.parts;
    let dragging = false;
    /** @param {PointerEvent} event */
    const follow = (event) => {
      if (!this.curves || this.curves.slider !== this.slider) return;
      this.move(this.slider, this.curves.findPosition(event.clientX - plot.getBoundingClientRect().left));
    };
    plot.addEventListener("pointerdown", (event) => {
      dragging = true;
      plot.setPointerCapture(event.pointerId);
      follow(event);
    }, this.#until);
    plot.addEventListener("pointermove", (event) => dragging && follow(event), this.#until);
    for (const name of ["pointerup", "pointercancel"]) {
      plot.addEventListener(name, () => { dragging = false; }, this.#until);
    }
    this.observer = new ResizeObserver(() => {
      if (!plot.clientWidth || plot.clientWidth === this.plotWidth) return;
      this.drawCurves();
      this.curves?.point(this.position);
      this.#drawLaps();
    });
    this.observer.observe(plot);
  }

  #addCopying() {
    for (const pre of this.root.querySelectorAll("pre")) {
      const code = make("code", {}, pre.textContent ?? "");
      pre.replaceChildren(code);
      const button = make("button", { type: "button", class: "gm-link gm-copy" }, this.words.copy);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code.textContent ?? "");
          put(button, this.words.copied);
        } catch {
          getSelection()?.selectAllChildren(code); // no permission: selected, ready for Ctrl+C
          put(button, this.words.selected);
        }
      }, this.#until);
      pre.before(button);
      pre.closest("details")?.addEventListener("toggle", () => this.#drawCode(), this.#until);
    }
  }

  /** JupyterLab and Notebook 7 take keys for their cells, in the capturing phase of the document. */
  #listen() {
    window.addEventListener("keydown", (event) => {
      const focused = event.target instanceof Element ? event.target : null;
      if (!focused || !this.root.contains(focused) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!focused.matches("button, summary, input, select")) return;
      event.stopPropagation();
      if (focused instanceof HTMLInputElement && focused.type === "range") {
        const slider = Number(focused.dataset.slider);
        const { count, at } = this.table.sliders[slider];
        const now = slider === this.slider ? this.position : at;
        const to = moveThumb(event.key, now, count);
        if (to === null) return;
        event.preventDefault();
        this.move(slider, to);
        return;
      }
      const row = focused.closest("tr.gm-choose");
      const next = event.key === "ArrowDown" ? row?.nextElementSibling : event.key === "ArrowUp" ? row?.previousElementSibling : null;
      const button = next?.querySelector("th button");
      if (!(button instanceof HTMLElement)) return;
      event.preventDefault();
      button.focus();
      button.click();
    }, { capture: true, signal: this.listening.signal });
  }

  // ---- race

  #addRace() {
    const { parts } = this;
    /** @type {number[][]} */
    this.laps = [];
    this.racing = false;
    parts["race-go"].addEventListener("click", () => {
      if (this.racing) return void this.source.ask?.({ kind: "stop" });
      this.source.ask?.({
        kind: "race",
        start: parts["race-start"].value,
        optimizer: parts["race-optimizer"].value,
        learning_rate: Number(parts["race-rate"].value),
        steps: Number(parts["race-steps"].value),
      });
    }, this.#until);
    for (const name of ["race-optimizer", "race-rate", "race-steps"]) {
      parts[name].addEventListener("change", () => this.#drawRaceCode(), this.#until);
    }
    this.#drawRaceCode();
  }

  #drawRaceCode() {
    const { parts } = this;
    const pre = parts["code-race"];
    const rate = parts["race-rate"].value;
    const names = {
      sgd: `SGD(${rate})`, momentum: `SGD(${rate}, momentum=0.9)`,
      nesterov: `SGD(${rate}, momentum=0.9, nesterov=True)`, rmsprop: `RMSprop(${rate})`, adam: `Adam(${rate})`,
    };
    const text = fillText(this.source.codes.race, {
      steps: parts["race-steps"].value, optimizer: names[parts["race-optimizer"].value],
    });
    put(pre.querySelector("code") ?? pre, text);
  }

  /** @param {Record<string, any>} message news of a race @param {DataView} [news] its laps */
  hearRace(message, news) {
    const { parts, words } = this;
    if (message.error) {
      put(parts["race-status"], message.error);
      return;
    }
    const numbers = news ? readBlock(news) : new Float32Array();
    this.laps.length = Math.min(this.laps.length, message.from);
    for (let i = 0; i < numbers.length; i += 6) this.laps.push([...numbers.subarray(i, i + 6)]);
    this.steps = message.steps;
    this.racing = !message.done;
    put(parts["race-go"], this.racing ? words.race_stop : words.race_start);
    const progress = /** @type {HTMLProgressElement} */ (parts["race-progress"]);
    progress.hidden = !this.racing;
    progress.value = (this.laps.length - 1) / message.steps;
    this.#drawLaps();
    const last = this.laps.at(-1);
    if (!last) return;
    const done = this.laps.length - 1;
    if (this.racing) return put(parts["race-status"], fillText(words.race_running, { step: done, steps: message.steps }));
    /** @param {number} share */
    const percent = (share) => `${formatNumber(100 * share, 3).replace(/\.0+$/, "")} %`;
    const template = done < message.steps ? words.race_stopped : words.race_result;
    parts["race-status"].replaceChildren(...fillTemplate(template, {
      steps: String(done),
      crossentropy: make("span", { class: "gm-ce" }, words.crossentropy),
      mse: make("span", { class: "gm-mse" }, words.mse),
      crossentropy_accuracy: percent(last[1]),
      mse_accuracy: percent(last[4]),
    }));
  }

  #drawLaps() {
    if (this.laps.length) drawRace(this.parts["race-plot"], this.laps, this.steps ?? 1, this.words);
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

/** @param {HTMLElement} bar @param {number} share of its track */
function setBar(bar, share) {
  bar.style.width = `${share >= TOO_SHORT ? 100 * Math.min(share, 1) : 0}%`;
}

/** @param {HTMLElement} bar @param {number} value between -1 and 1, from the middle */
function setSlope(bar, value) {
  const size = Math.abs(value);
  bar.style.width = `${size >= TOO_SHORT ? 50 * Math.min(size, 1) : 0}%`;
  bar.style.left = value < 0 ? "auto" : "50%";
  bar.style.right = value < 0 ? "50%" : "auto";
}

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
  const sayError = () => panel?.say(model.get("error"), Boolean(model.get("error")));
  const mount = () => {
    panel?.close();
    panel = null;
    html = model.get("html");
    if (!place) return;
    const scroller = place.closest(".gm-side, .gm-docked") ?? place;
    const top = scroller.scrollTop;
    place.innerHTML = html;
    const root = place.querySelector(".gm-losses");
    if (!(root instanceof HTMLElement)) return;
    panel = new Panel(root, readTable(), {
      batch: model.get("batch"),
      words: model.get("words"),
      codes: { ...model.get("codes"), ...model.get("header").codes },
      ask: (question) => model.send(question),
    });
    sayError();
    scroller.scrollTop = top;
  };
  const onHeader = () => {
    if (model.get("html") !== html) return void mount(); // other data
    if (!panel) return;
    const header = model.get("header");
    Object.assign(panel.source.codes, header.codes);
    if (panel.parts.sources) panel.parts.sources.innerHTML = header.sources ?? "";
    panel.answer(header.answer);
    panel.showTable(readTable());
  };
  /** @param {Record<string, any>} message @param {DataView[]} buffers */
  const onMessage = (message, buffers) => {
    if (message.kind === "race") panel?.hearRace(message, buffers?.[0]);
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
    panel?.close();
    leave();
    el.replaceChildren();
  };
}

export default { render };

// The panel on the page: where its sliders stand, and what is drawn for that.
import { Announcer } from "../announcing.js";
import { copyPlainMinus } from "../copying.js";
import { locatePointer } from "../presenting.js";
import { watchScrolling } from "../scrolling.js";
import { drawClaim, drawWays, nameState } from "./claims.js";
import { Code } from "./code.js";
import { SliderCurves } from "./curves.js";
import { fillText, make, put } from "../elements.js";
import { Questions } from "./questions.js";
import { Race } from "./race.js";
import { SampleList } from "./samples.js";
import { Sliders, moveThumb } from "./sliders.js";

const SETTLE = 250; // ms without a movement, after which new tables are asked for
const HIDDEN_WIDTH = 388; // of the plots, px, until the panel is seen

/**
 * @typedef {object} Source where a panel's numbers and words come from
 * @property {Record<string, any>} batch
 * @property {Record<string, string>} words
 * @property {Record<string, string>} codes templates of the code
 * @property {(question: Record<string, any>) => void} [ask] asks the kernel, where there is one
 * @property {number[]} [held] without a kernel: the samples whose tables are at hand
 * @property {(sample: number) => import("./tables.js").Table | null} [find] and these tables
 */

export class Panel {
  /**
   * @param {HTMLElement} root the section
   * @param {import("./tables.js").Table} table
   * @param {Source} source
   */
  constructor(root, table, source) {
    this.root = root;
    this.table = table;
    this.source = source;
    this.words = source.words;
    this.slider = table.findTrueSlider();
    this.position = table.sliders[this.slider].at;
    /** @type {{slider: number, position: number} | null} */
    this.wanted = null; // a move that waits for tables
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.settling = undefined;
    /** @type {Record<string, any>} */
    this.parts = {};
    this.#findParts(root);
    this.listening = new AbortController();
    const { signal } = this.listening;
    const { ask, held } = source;
    const { parts, words } = this;
    root.classList.add("gm-ready");
    this.announcer = new Announcer(root, signal);
    root.classList.toggle("gm-live-kernel", Boolean(ask));
    this.questions = ask ? new Questions(ask, (late) => this.#sayLate(late)) : null;
    this.list = this.#makeList();
    this.sliders = new Sliders(
      parts, words, (slider, position) => this.move(slider, position),
      () => this.#settle(0), () => this.#goBack(), signal,
    );
    this.code = new Code(root, words, () => this.#writeCode(), signal);
    this.race = new Race(parts, source.codes, words, ask ?? null, signal);
    this.#addStepper();
    this.#listenToPlot();
    this.#listenToKeys();
    copyPlainMinus(root, signal);
    watchScrolling(root, words.scrolls, signal);
    put(parts["others-back"], held ? fillText(words.others_back, { samples: held.join(", ") }) : "");
    this.showTable(table);
  }

  /**
   * Shows another batch of as many classes: what was opened stays open.
   * @param {HTMLElement} fresh its panel, from which the parts that do not move are taken
   * @param {Source} source
   * @param {import("./tables.js").Table} table
   */
  renew(fresh, source, table) {
    Object.assign(this.source, { batch: source.batch });
    Object.assign(this.source.codes, source.codes);
    for (const key of ["batch", "sources", "found", "sampling"]) {
      const part = fresh.querySelector(`[data-k='${key}']`);
      this.parts[key].replaceChildren(...(part?.childNodes ?? []));
    }
    this.#findParts(this.parts.batch);
    this.list = this.#makeList();
    this.code.renew(fresh);
    this.race.clear();
    this.race.writeCode();
    this.say("");
    this.showTable(table);
  }

  /** @param {Element} within */
  #findParts(within) {
    for (const element of within.querySelectorAll("[data-k]")) {
      this.parts[element.getAttribute("data-k") ?? ""] = element;
    }
  }

  #makeList() {
    const { parts, source, words } = this;
    const choose = (/** @type {number} */ sample) => this.choose(sample);
    const { signal } = this.listening;
    return new SampleList(parts.per, source.batch, words, source.held ?? null, choose, signal);
  }

  close() {
    this.listening.abort();
    this.questions?.stop();
    clearTimeout(this.settling);
    this.observer?.disconnect();
  }

  /**
   * Shows the tables of a sample, or of where its sliders have come.
   * @param {import("./tables.js").Table} table
   */
  showTable(table) {
    const { table: before, slider, position } = this;
    const own = before.sliders[slider];
    const goesOn = table !== before && table.sample === before.sample
      && table.trueClass === before.trueClass && own.kind !== "class" && table.moved;
    this.table = table;
    if (goesOn) {
      this.position = table.findNearest(slider, own.positions[position]);
    } else {
      this.slider = table.findTrueSlider();
      this.position = table.sliders[this.slider].at;
    }
    this.sliders.fit(table);
    this.sliders.mark(this.slider);
    this.list.mark(this.questions?.findSample() ?? table.sample);
    this.#drawCurves();
    this.draw();
    if (!goesOn) this.#advise();
    const { wanted } = this;
    this.wanted = null;
    if (wanted) {
      const value = before.sliders[wanted.slider].positions[wanted.position];
      this.move(wanted.slider, table.findNearest(wanted.slider, value));
    }
  }

  /** @param {number} number of the question that was answered */
  answer(number) {
    this.questions?.close(number);
  }

  /**
   * A line above everything, or none.
   * @param {string} text
   */
  say(text) {
    this.error = text;
    put(this.parts.message, text);
    this.parts.message.hidden = !text;
  }

  /** @param {boolean} late */
  #sayLate(late) {
    if (this.error && this.error !== this.words.waiting) return; // that matters more
    this.say(late ? this.words.waiting : "");
  }

  // ---- moving

  /** @param {number} slider @param {number} position */
  move(slider, position) {
    const { table } = this;
    const away = this.position !== table.sliders[this.slider].at;
    if (slider !== this.slider && away && this.questions) {
      // tables from where the first slider has come are on their way: wait, but not for long
      if (!this.questions.open) this.#ask();
      if (this.questions.isPending()) {
        this.wanted = { slider, position };
        return;
      }
    }
    const changed = slider !== this.slider;
    this.slider = slider;
    this.position = Math.max(0, Math.min(table.sliders[slider].count - 1, position));
    this.sliders.mark(slider);
    if (changed) this.#drawCurves();
    this.draw();
    this.#settle(table.sliders[slider].kind === "class" ? 0 : SETTLE);
  }

  /** @param {number} slider whose thumb is at this position, or about to go there */
  #findThumb(slider) {
    if (this.wanted?.slider === slider) return this.wanted.position;
    return slider === this.slider ? this.position : this.table.sliders[slider].at;
  }

  /** @param {number} delay ms, after which new tables are asked for if the sliders rest */
  #settle(delay) {
    clearTimeout(this.settling);
    if (!this.questions || this.position === this.table.sliders[this.slider].at) return;
    this.settling = setTimeout(() => this.#ask(), delay);
  }

  #ask() {
    clearTimeout(this.settling);
    const { sample, version, sliders } = this.table;
    const value = sliders[this.slider].positions[this.position];
    this.questions?.ask({ kind: "move", version, sample, slider: this.slider, value });
  }

  /** @param {number} sample to take in hand */
  choose(sample) {
    clearTimeout(this.settling);
    this.wanted = null;
    if (this.questions) {
      this.questions.ask({ kind: "sample", version: this.table.version, sample });
      this.list.mark(sample);
      return;
    }
    const table = this.source.find?.(sample);
    if (table) this.showTable(table);
  }

  /** @param {number} by how many samples */
  step(by) {
    const order = this.list.listSamples();
    const at = order.indexOf(this.questions?.findSample() ?? this.table.sample);
    this.choose(order[(at + by + order.length) % order.length]);
  }

  #goBack() {
    this.sliders.inputs[this.slider]?.focus();
    if (this.questions) this.choose(this.table.sample);
    else this.move(this.slider, this.table.sliders[this.slider].at);
  }

  // ---- drawing: nothing but look-ups

  draw() {
    const { table, slider, position } = this;
    const moved = table.moved || position !== table.sliders[slider].at;
    drawClaim(this.parts, this.words, table, slider, position, moved);
    this.announcer.say(this.parts.claim.textContent);
    this.sliders.draw(slider, position, moved);
    if (this.curves.slider === slider) this.curves.point(position);
    drawWays(this.parts, this.words, table, slider, position);
    this.#writeCode();
  }

  #writeCode() {
    this.code.write(this.source.codes, this.table, this.slider, this.position);
  }

  #drawCurves() {
    const { table, words, parts } = this;
    const trueSlider = table.findTrueSlider();
    // the picker of true classes has no curve of its own
    const slider = table.sliders[this.slider].kind === "class" ? trueSlider : this.slider;
    const { kind, number, stuck } = table.sliders[slider];
    const own = slider === trueSlider;
    const title = kind === "logit" && own ? "true" : kind;
    put(parts["h-curve"], fillText(words[`along_${title}`], { number: String(number) }));
    const reason = kind !== "logit" ? kind : !own ? "other" : stuck.length ? "stuck" : "true";
    put(parts.reason, words[`reason_${reason}`]);
    put(parts.others, own && table.margins.length > 1 ? words.others : "");
    this.plotWidth ||= parts.plot.clientWidth; // (the observer keeps it; asking takes a layout)
    this.curves = new SliderCurves(
      parts.plot, this.plotWidth || HIDDEN_WIDTH, table, slider, this.source.batch, words);
  }

  #advise() {
    const state = nameState(this.table.find(this.slider, this.position, "state"), 1);
    const key = state === "undecided" ? "wrong" : state;
    put(this.parts.advice, fillText(this.words[`advice_${key}`], { number: this.table.trueClass }));
  }

  // ---- listening

  #addStepper() {
    const { parts, words } = this;
    /** @param {string} text @param {string} label @param {number} by */
    const makeButton = (text, label, by) => {
      const button = make("button", { type: "button", "aria-label": label }, text);
      button.addEventListener("click", () => this.step(by), { signal: this.listening.signal });
      return button;
    };
    parts.step.prepend(makeButton("‹", words.previous, -1));
    parts.step.append(makeButton("›", words.next, 1));
  }

  /** The plot is a slider too. */
  #listenToPlot() {
    const { plot } = this.parts;
    const { signal } = this.listening;
    let dragging = false;
    /** @param {PointerEvent} event */
    const follow = (event) => {
      if (this.curves.slider !== this.slider) return;
      this.move(this.slider, this.curves.findPosition(locatePointer(event, plot).x));
    };
    plot.addEventListener("pointerdown", (event) => {
      dragging = true;
      plot.setPointerCapture(event.pointerId);
      follow(event);
    }, { signal });
    plot.addEventListener("pointermove", (event) => dragging && follow(event), { signal });
    for (const name of ["pointerup", "pointercancel"]) {
      plot.addEventListener(name, () => {
        dragging = false;
        this.#settle(0);
      }, { signal });
    }
    this.observer = new ResizeObserver(() => {
      if (!plot.clientWidth || plot.clientWidth === this.plotWidth) return;
      this.plotWidth = plot.clientWidth;
      this.#drawCurves();
      if (this.curves.slider === this.slider) this.curves.point(this.position);
      this.race.draw();
    });
    this.observer.observe(plot);
  }

  /** JupyterLab and Notebook 7 take keys for their cells, in the capturing phase of the document. */
  #listenToKeys() {
    window.addEventListener("keydown", (event) => {
      const focused = event.target instanceof Element ? event.target : null;
      if (!focused || !this.root.contains(focused)) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!focused.matches("button, summary, input, select")) return;
      event.stopPropagation(); // the window comes before the document
      if (focused instanceof HTMLInputElement && focused.type === "range") {
        const slider = Number(focused.dataset.slider);
        const to = moveThumb(event.key, this.#findThumb(slider), this.table.sliders[slider].count);
        if (to === null) return;
        event.preventDefault();
        this.move(slider, to);
      } else if (this.list.step(event.key, focused)) event.preventDefault();
    }, { capture: true, signal: this.listening.signal });
  }
}

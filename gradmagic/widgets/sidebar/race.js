// The race: two descents from one start, drawn as the kernel runs them.
import { fillTemplate, fillText, make, put } from "../elements.js";
import { formatEntry, formatNumber } from "./numbers.js";
import { FLOOR, NARROW, Plot, Strip } from "./plot.js";
import { readBlock } from "./tables.js";

const COLUMNS = 6; // loss, accuracy, pull: of crossentropy, then of MSE

export class Race {
  /**
   * @param {Record<string, any>} parts of the panel, by name
   * @param {Record<string, string>} codes templates of the code
   * @param {Record<string, string>} words
   * @param {((question: Record<string, any>) => void) | null} ask
   * @param {AbortSignal} signal takes the listeners away
   */
  constructor(parts, codes, words, ask, signal) {
    this.parts = parts;
    this.codes = codes;
    this.words = words;
    /** @type {number[][]} */
    this.laps = [];
    this.steps = 1;
    this.running = false;
    if (!ask) return;
    parts["race-go"].addEventListener("click", () => ask(this.running ? { kind: "stop" } : this.#read()), { signal });
    for (const name of ["race-optimizer", "race-rate", "race-steps"]) {
      parts[name].addEventListener("change", () => this.writeCode(), { signal });
    }
    this.writeCode();
  }

  /** What the student has set. */
  #read() {
    const { parts } = this;
    return {
      kind: "race",
      start: parts["race-start"].value,
      optimizer: parts["race-optimizer"].value,
      learning_rate: parts["race-rate"].value,
      steps: parts["race-steps"].value,
    };
  }

  writeCode() {
    const { optimizer, learning_rate: rate, steps } = this.#read();
    /** @type {Record<string, string>} */
    const optimizers = {
      sgd: `SGD(${rate})`,
      momentum: `SGD(${rate}, momentum=0.9)`,
      nesterov: `SGD(${rate}, momentum=0.9, nesterov=True)`,
      rmsprop: `RMSprop(${rate})`,
      adam: `Adam(${rate})`,
    };
    const code = this.parts["code-race"].querySelector("code");
    put(code, fillText(this.codes.race, { steps, optimizer: optimizers[optimizer] }));
  }

  /**
   * News of a race.
   * @param {Record<string, any>} message
   * @param {DataView} [news] the laps since the last message
   */
  hear(message, news) {
    const { parts, words } = this;
    if (message.error) return void put(parts["race-status"], message.error);
    const numbers = news ? readBlock(news) : new Float32Array();
    this.laps.length = Math.min(this.laps.length, message.from);
    for (let i = 0; i < numbers.length; i += COLUMNS) {
      this.laps.push([...numbers.subarray(i, i + COLUMNS)]);
    }
    this.steps = message.steps;
    this.running = !message.done;
    put(parts["race-go"], this.running ? words.race_stop : words.race_start);
    parts["race-progress"].hidden = !this.running;
    parts["race-progress"].value = (this.laps.length - 1) / message.steps;
    this.draw();
    this.#say();
  }

  #say() {
    const { words } = this;
    const status = this.parts["race-status"];
    const last = this.laps.at(-1);
    if (!last) return;
    const done = this.laps.length - 1;
    if (this.running) {
      return void put(status, fillText(words.race_running, { step: done, steps: this.steps }));
    }
    /** @param {number} share */
    const percent = (share) => `${formatNumber(100 * share, 3).replace(/\.0+$/, "")} %`;
    const template = done < this.steps ? words.race_stopped : words.race_result;
    status.replaceChildren(...fillTemplate(template, {
      steps: String(done),
      crossentropy: make("span", { class: "gm-ce" }, words.crossentropy),
      mse: make("span", { class: "gm-mse" }, words.mse),
      crossentropy_accuracy: percent(last[1]),
      mse_accuracy: percent(last[4]),
    }));
  }

  /** Nothing has been run on this batch. */
  clear() {
    this.laps = [];
    this.running = false;
    put(this.parts["race-go"], this.words.race_start);
    put(this.parts["race-status"], "");
    this.parts["race-progress"].hidden = true;
    this.parts["race-plot"].replaceChildren();
  }

  /** Both losses, accuracy, and the size of the gradients, step by step. */
  draw() {
    const { laps, steps, words } = this;
    const last = laps.at(-1);
    if (!last) return;
    const place = this.parts["race-plot"];
    const plot = new Plot(place, place.clientWidth, 470, [0, Math.max(1, steps)], words.race_label);
    /** @param {number} i */
    const column = (i) => laps.map((lap) => lap[i]);
    /** @param {number[]} values */
    const findTop = (values) => Math.max(1e-9, ...values.filter(Number.isFinite)) * 1.06;
    const [first, second, accuracy, pull] = [
      new Strip(24, 72, 0, findTop(column(0))),
      new Strip(128, 72, 0, findTop(column(3))),
      new Strip(232, 72, 0, 1.06),
      new Strip(336, 96, FLOOR, 0.4, true),
    ];
    for (const strip of [first, second, accuracy, pull]) plot.drawAxis(strip);
    plot.drawTitle(first, words.crossentropy_loss, "gm-ce");
    plot.drawTitle(second, words.mse_loss, "gm-mse");
    plot.drawTitle(accuracy, words.race_accuracy, "gm-i");
    plot.drawTitle(pull, plot.outer < NARROW ? words.race_pull_short : words.race_pull, "gm-i");
    const places = laps.map((_, i) => i);
    /** @type {[Strip, string, number][]} */
    const lines = [
      [first, "ce", 0], [second, "mse", 3], [accuracy, "ce", 1], [accuracy, "mse", 4],
      [pull, "ce", 2], [pull, "mse", 5],
    ];
    for (const [strip, loss, i] of lines) {
      plot.drawLine(strip, loss, places, column(i));
      const alone = strip === first || strip === second;
      const sign = alone ? "" : loss === "ce" ? "● " : "□ ";
      const written = formatEntry(last[i], strip === accuracy ? 2 : 4);
      plot.drawTitle(strip, sign + written, `gm-${loss}`, !alone && loss === "ce" ? 68 : 0);
    }
    const half = Math.round(steps / 2);
    plot.drawBottom(pull, [[0, "0"], [half, String(half)], [steps, String(steps)]], words.race_step);
  }
}

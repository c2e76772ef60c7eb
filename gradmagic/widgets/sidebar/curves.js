// Curves along one slider: both losses, and the sizes of their gradients.
import { plainMinus } from "../copying.js";
import { fillText } from "../elements.js";
import { formatEntry, formatNumber, formatPlace } from "./numbers.js";
import { FLOOR, LEFT, NARROW, Plot, Strip, breakLines, countColumns, writeShort } from "./plot.js";

/**
 * A slider's scale: confidence is drawn by its root, so that small and large factors both have room.
 * @param {string} kind
 */
export const makeScale = (kind) =>
  kind === "confidence"
    ? {
        toScreen: (/** @type {number} */ value) => Math.sign(value) * Math.sqrt(Math.abs(value)),
        toValue: (/** @type {number} */ place) => Math.sign(place) * place * place,
      }
    : { toScreen: (/** @type {number} */ value) => value, toValue: (/** @type {number} */ place) => place };

/**
 * Round numbers along a slider, as value and text.
 * @param {import("./tables.js").Slider} slider
 * @returns {[number, string][]}
 */
export function listMarks(slider) {
  const low = slider.positions[0];
  const high = slider.positions[slider.count - 1];
  const middle = Number((slider.kind === "confidence" ? high / 4 : high / 2).toPrecision(2));
  const places = slider.kind === "smoothing" ? [0, 0.3, 0.6, 0.9] : [low, -middle, 0, middle, high];
  return places.map((value) => [value, writeShort(value)]);
}

/** Both losses, and the sizes of their gradients, along one slider; a point marks where it stands. */
export class SliderCurves {
  /**
   * @param {HTMLElement} place
   * @param {number} width px
   * @param {import("./tables.js").Table} table
   * @param {number} slider number of the slider
   * @param {Record<string, any>} batch
   * @param {Record<string, string>} words
   */
  constructor(place, width, table, slider, batch, words) {
    this.table = table;
    this.slider = slider;
    const own = table.sliders[slider];
    this.scale = makeScale(own.kind);
    const places = Array.from(own.positions, this.scale.toScreen);
    const range = /** @type {[number, number]} */ ([places[0], places[own.count - 1]]);
    const label = fillText(words[`axis_${own.kind}`], { number: String(own.number) });
    const plot = new Plot(place, width, 406, range, fillText(words.curves_label, { axis: label }));
    this.plot = plot;
    Object.assign(this, { words, label });
    plot.svg.classList.add("gm-drag");
    /** @param {string} name */
    const column = (name) => places.map((_, i) => table.find(slider, i, name));
    const values = {
      crossentropy: column("crossentropy"), mse: column("mse"),
      crossentropy_pull: column("crossentropy_pull"), mse_pull: column("mse_pull"),
    };
    const top = Math.max(1, ...values.crossentropy.filter(Number.isFinite));
    const highest = Math.max(...values.mse.filter(Number.isFinite), 1e-6);
    this.strips = [new Strip(40, 84, 0, top * 1.03), new Strip(156, 72, 0, highest * 1.1), new Strip(260, 112, FLOOR, 0.4, true)];
    const [first, second, third] = this.strips;
    for (const strip of this.strips) this.#shade(strip, own);
    this.#nameAnswers(own, words);
    for (const strip of this.strips) plot.drawAxis(strip);
    const limit = third.place(batch.threshold);
    plot.add("line", { class: "gm-limit", x1: LEFT, x2: LEFT + plot.width, y1: limit, y2: limit });
    plot.drawLine(first, "ce", places, values.crossentropy);
    plot.drawLine(second, "mse", places, values.mse);
    plot.drawLine(third, "ce", places, values.crossentropy_pull);
    plot.drawLine(third, "mse", places, values.mse_pull);
    if (slider === table.findTrueSlider()) this.#drawOthers(batch);
    const narrow = plot.outer < NARROW;
    plot.drawTitle(first, words.crossentropy_loss, "gm-ce");
    plot.drawTitle(second, words.mse_loss, "gm-mse");
    plot.drawTitle(third, narrow ? words.size_short : words.size, "gm-i");
    this.readings = [
      plot.drawTitle(first, "", "gm-ce", 0), plot.drawTitle(second, "", "gm-mse", 0),
      plot.drawTitle(third, "", "gm-ce", 68), plot.drawTitle(third, "", "gm-mse", 0),
    ];
    this.#nameStuck(own, second, words);
    this.#nameLimit(third, limit, places, values, batch, words);
    this.#markData(own);
    /** @type {[number, string][]} */
    const marks = listMarks(own).map(([value, text]) => [this.scale.toScreen(value), text]);
    plot.drawBottom(third, marks, label);
    this.lines = this.strips.map((strip) => plot.add("line", { class: "gm-now", y1: strip.y, y2: strip.y + strip.height }));
    this.slopes = [plot.add("line", { class: "gm-slope" }), plot.add("line", { class: "gm-slope" })];
    this.points = [
      plot.add("circle", { class: "gm-disc", r: 5 }), plot.add("rect", { class: "gm-square", width: 8, height: 8 }),
      plot.add("circle", { class: "gm-disc", r: 5 }), plot.add("rect", { class: "gm-square", width: 8, height: 8 }),
    ];
  }

  /** @param {Strip} strip @param {import("./tables.js").Slider} own */
  #shade(strip, own) {
    for (const stretch of own.stuck) {
      const [from, to] = stretch.map((value) => this.plot.x(this.scale.toScreen(value)));
      this.plot.add("rect", { class: "gm-dead", x: from, width: Math.max(1, to - from), y: strip.y, height: strip.height });
    }
  }

  /** Above all: where along the slider the answer is right. */
  #nameAnswers(own, words) {
    const { plot } = this;
    /** @param {number} from @param {number} to @param {string} long @param {string} short */
    const name = (from, to, long, short) => {
      const room = to - from;
      if (room > 30) plot.add("text", { x: (from + to) / 2, y: 9, "text-anchor": "middle" }, room > 90 ? long : short);
    };
    const start = LEFT;
    const end = LEFT + plot.width;
    if (!own.right.length) return void name(start, end, words.never_right, words.wrong);
    let from = start;
    for (const stretch of own.right) {
      const [a, b] = stretch.map((value) => plot.x(this.scale.toScreen(value)));
      for (const edge of [a, b]) {
        if (edge < start + 1 || edge > end - 1) continue;
        for (const strip of [{ y: 2, height: 10 }, ...this.strips]) {
          plot.add("line", { class: "gm-zero", x1: edge, x2: edge, y1: strip.y, y2: strip.y + strip.height });
        }
      }
      name(from, a, words.answer_wrong, words.wrong);
      if (a <= start + 1 && b >= end - 1) name(a, b, words.always_right, words.right);
      else name(a, b, words.answer_right, words.right);
      from = b;
    }
    name(from, end, words.answer_wrong, words.wrong);
  }

  /** Names the largest shaded stretch, in the strip of MSE's loss, which is flat there. */
  #nameStuck(own, strip, words) {
    const spans = own.stuck.map((stretch) => stretch.map((value) => this.plot.x(this.scale.toScreen(value))));
    spans.sort((a, b) => b[1] - b[0] - (a[1] - a[0]));
    if (!spans.length || spans[0][1] - spans[0][0] < 64) return;
    const [from, to] = spans[0];
    const lines = breakLines(words.stuck_why, Math.max(9, Math.floor((to - from - 10) / 5.6)));
    const texts = lines.length <= 3 ? [words.stuck, ...lines] : breakLines(words.stuck, 9);
    texts.forEach((text, i) => {
      const bold = i === 0 || lines.length > 3 ? "gm-bold" : "";
      this.plot.add("text", { class: `gm-i gm-on-tint ${bold}`, x: from + 6, y: strip.y + 24 + 13 * i }, text);
    });
  }

  /** Names the dotted line where no curve runs through the words. */
  #nameLimit(strip, limit, places, values, batch, words) {
    const { plot } = this;
    const narrow = plot.outer < NARROW;
    const value = formatNumber(batch.threshold, 2);
    const text = fillText(narrow ? words.threshold_short : words.threshold, { value });
    const width = countColumns(text) * (narrow ? 6.2 : 5.8);
    let best = { clashes: Infinity, x: LEFT + 6, y: limit - 5 };
    for (const dy of [-5, 12]) {
      for (let x = LEFT + 6; x + width < LEFT + plot.width; x += 8) {
        let clashes = 0;
        places.forEach((place, i) => {
          const at = plot.x(place);
          if (at < x - 8 || at > x + width + 8) return;
          for (const curve of [values.crossentropy_pull, values.mse_pull]) {
            const away = strip.place(curve[i]) - (limit + dy);
            if (away > -13 && away < 5) clashes += 1;
          }
        });
        if (clashes < best.clashes) best = { clashes, x, y: limit + dy };
      }
    }
    plot.add("text", { class: "gm-i gm-halo", x: best.x, y: best.y }, text);
  }

  /** A triangle under the axis: where the data stand. */
  #markData(own) {
    const x = this.plot.x(this.scale.toScreen(own.positions[own.at]));
    const bottom = this.strips[2].y + this.strips[2].height;
    this.plot.add("path", { class: "gm-mark", d: `M${x},${bottom} l-4,7 h8 z` });
  }

  /** The other samples, each where its lead over the other classes puts it. */
  #drawOthers(batch) {
    const { plot, table, strips } = this;
    const series = [
      [strips[0], batch.crossentropy, "disc"], [strips[1], batch.mse, "square"],
      [strips[2], batch.crossentropy_pull, "disc"], [strips[2], batch.mse_pull, "square"],
    ];
    table.margins.forEach((margin, i) => {
      if (batch.samples[i] === table.sample || !(margin >= plot.low && margin <= plot.high)) return;
      for (const [strip, values, shape] of series) {
        const value = values[i];
        if (value === null) continue;
        const x = plot.x(margin);
        const y = strip.place(value);
        if (shape === "disc") plot.add("circle", { class: "gm-disc gm-other", cx: x, cy: y, r: 2.5 });
        else plot.add("rect", { class: "gm-square gm-other", x: x - 2.5, y: y - 2.5, width: 5, height: 5 });
      }
    });
  }

  /** @param {number} position where the slider stands */
  point(position) {
    const { plot, table, slider, strips } = this;
    const at = this.scale.toScreen(table.sliders[slider].positions[position]);
    const x = plot.x(at);
    for (const line of this.lines) {
      line.setAttribute("x1", String(x));
      line.setAttribute("x2", String(x));
    }
    const names = ["crossentropy", "mse", "crossentropy_pull", "mse_pull"];
    const values = names.map((name) => table.find(slider, position, name));
    const signs = ["", "", "● ", "□ "];
    values.forEach((value, i) => {
      const strip = strips[Math.min(i, 2)];
      const y = strip.place(value);
      const point = this.points[i];
      if (i % 2) {
        point.setAttribute("x", String(x - 4));
        point.setAttribute("y", String(y - 4));
      } else {
        point.setAttribute("cx", String(x));
        point.setAttribute("cy", String(y));
      }
      const text = signs[i] + formatEntry(value);
      if (this.readings[i].textContent !== text) this.readings[i].textContent = text;
      if (i < 2) this.#drawSlope(i, strip, x, y, table.find(slider, position, `${names[i]}_slope`), at);
    });
    this.#describe(table.sliders[slider].positions[position], values.map((value) => formatEntry(value)));
  }

  /** The numbers at the point, for those who do not see them. @param {number} place @param {string[]} values */
  #describe(place, values) {
    const { words, label, plot } = this;
    const [ce, mse, cePull, msePull] = values;
    const said = [
      fillText(words.curves_label, { axis: label }), `${label}: ${formatPlace(place)}`,
      `${words.crossentropy_loss}: ${ce}`, `${words.mse_loss}: ${mse}`,
      `${words.size}: ${words.crossentropy} ${cePull}, ${words.mse} ${msePull}`,
    ];
    plot.svg.setAttribute("aria-label", plainMinus(said.join("; ")));
  }

  /** The short line of the loss's slope, which descent goes down. */
  #drawSlope(i, strip, x, y, slope, at) {
    const line = this.slopes[i];
    const hidden = !Number.isFinite(slope);
    line.setAttribute("visibility", hidden ? "hidden" : "visible");
    if (hidden) return;
    // of the picture: by the slider's place on the screen, whose scale confidence stretches
    const stretch = this.scale.toValue(at + 1e-3) - this.scale.toValue(at - 1e-3);
    const onScreen = slope * (stretch / 2e-3);
    const { plot } = this;
    const tilt = ((-onScreen * strip.height) / (strip.high - strip.low)) / (plot.width / (plot.high - plot.low));
    const half = 26 / Math.hypot(1, tilt);
    const from = Math.max(x - half, LEFT);
    const to = Math.min(x + half, LEFT + plot.width);
    line.setAttribute("x1", String(from));
    line.setAttribute("x2", String(to));
    line.setAttribute("y1", String(y + (from - x) * tilt));
    line.setAttribute("y2", String(y + (to - x) * tilt));
  }

  /** @param {number} x a place on the screen, from the left edge of the plot */
  findPosition(x) {
    const share = (x - LEFT) / this.plot.width;
    const place = this.plot.low + share * (this.plot.high - this.plot.low);
    return this.table.findNearest(this.slider, this.scale.toValue(place));
  }
}

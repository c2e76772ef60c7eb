// The gradient through 1, 2, 3 ... layers of each function, on a log scale.
import { writePower } from "../sidebar/numbers.js";
import { LEFT, Plot } from "../sidebar/plot.js";

const TALL = 170;
const POWERS = [0, -3, -6, -9];
const HIGHEST = 0.6; // gelu passes on 3.4 times the gradient, at best and through ten layers

/** A scale in powers of ten; what is beyond its ends lies on them. */
export class PowerScale {
  /** @param {number} y @param {number} height */
  constructor(y, height) {
    Object.assign(this, { y, height });
  }

  /** @param {number} value */
  place(value) {
    const low = /** @type {number} */ (POWERS.at(-1));
    const power = value > 0 ? Math.max(low, Math.min(HIGHEST, Math.log10(value))) : low;
    return this.y + (this.height * (HIGHEST - power)) / (HIGHEST - low);
  }
}

export class StackPlot {
  /**
   * @param {HTMLElement} place
   * @param {import("./numbers.js").Lab} lab
   * @param {import("./numbers.js").Curves} curves
   * @param {string[]} marks
   */
  constructor(place, lab, curves, marks) {
    Object.assign(this, { place, lab, curves, marks });
    this.layers = Array.from({ length: lab.depth }, (_, i) => i + 1);
  }

  /**
   * @param {number} at the point
   * @param {number} lead
   * @param {number} chosen layers
   */
  draw(at, lead, chosen) {
    const { lab, curves, layers, place } = this;
    const width = Math.max(240, Math.min(place.clientWidth || 372, 420));
    const { words } = lab;
    const plot = new Plot(place, width, TALL + 46, [0.6, lab.depth + 0.4], words.stack.replace("{n}", String(lab.depth)));
    const strip = new PowerScale(6, TALL);
    for (const power of POWERS) {
      const y = strip.place(10 ** power);
      const lowest = power === POWERS.at(-1);
      plot.add("line", { class: lowest ? "gm-zero" : "gm-grid", x1: LEFT, x2: LEFT + plot.width, y1: y, y2: y });
      const text = power === 0 ? "1" : `${lowest ? "≤ " : ""}${writePower(power)}`;
      plot.add("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text);
    }
    const x = plot.x(chosen);
    plot.add("path", { class: "gm-rule", d: `M${x.toFixed(1)} ${strip.y}v${strip.height}` });
    plot.drawLine(strip, "best", layers, lab.curves[lead].best.map((one) => one ?? NaN));
    const order = [...lab.curves.keys()].sort((a, b) => Number(a === lead) - Number(b === lead));
    for (const i of order) {
      const sizes = layers.map((n) => Math.abs(curves.chain(i, n, at)));
      const front = i === lead ? " gm-lead" : "";
      plot.drawLine(strip, `f gm-f${i}${front}`, layers, sizes);
      const size = sizes[chosen - 1];
      if (!Number.isFinite(size)) continue;
      plot.add("path", {
        class: `gm-mark${front}`, d: this.marks[i],
        transform: `translate(${x.toFixed(1)} ${strip.place(size).toFixed(1)})`,
      });
    }
    plot.drawBottom(strip, layers.map((n) => [n, String(n)]), words.axis_layers);
    this.drawBestName(plot, strip, lead);
  }

  /** Names the dotted line, where it has room beside the curves. */
  drawBestName(plot, strip, lead) {
    const best = this.lab.curves[lead].best.at(-1);
    if (best === null || best === undefined) return;
    plot.add("text", { class: "gm-i", x: LEFT + 2, y: strip.y + strip.height - 6 },
      `···· ${this.lab.words.best.replace("{name}", this.lab.curves[lead].name)}`);
  }
}

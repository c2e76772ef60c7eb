// A plot: an SVG as wide as its place, and strips one under the other.
import { formatNumber, writePower } from "./numbers.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
export const LEFT = 38; // room for the numbers of the axis
const RIGHT_EDGE = 6;
export const FLOOR = -6; // of logarithms: what is smaller lies on the axis
export const NARROW = 360;

/**
 * @param {string} name
 * @param {Record<string, string | number>} [attributes]
 * @param {string} [text]
 */
function makeShape(name, attributes = {}, text) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * Round steps for an axis from 0.
 * @param {number} top
 */
export function listTicks(top) {
  if (!(top > 0) || !Number.isFinite(top)) return [0];
  const power = 10 ** Math.floor(Math.log10(top / 2));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => top / one < 3.6) ?? power;
  const ticks = [];
  for (let i = 0; i * step <= top * (1 + 1e-9); i += 1) ticks.push(Number((i * step).toPrecision(3)));
  return ticks;
}

/**
 * A number of an axis: no more digits than it has.
 * @param {number} value
 */
export const writeShort = (value) => {
  const text = formatNumber(value, 3);
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
};

/**
 * About how many Latin letters wide a text is: a Chinese one is two.
 * @param {string} text
 */
export const countColumns = (text) => text.length + (text.match(/[\u2e80-\uffef]/g)?.length ?? 0);

/**
 * Words put into lines of about so many Latin letters; a line may end after any Chinese letter, and
 * begins with no mark.
 * @param {string} text
 * @param {number} width
 */
export function breakLines(text, width) {
  /** @type {string[]} */
  const lines = [];
  const units = text.match(/\s*(?:[（“《]*[\u2e80-\uffef]|[^\s\u2e80-\uffef]+)[，。：；、）”》]*/g) ?? [];
  for (const unit of units) {
    const last = lines.at(-1);
    if (last !== undefined && countColumns(last + unit) <= width) lines[lines.length - 1] = last + unit;
    else lines.push(unit.trim());
  }
  return lines;
}

/** A strip of a plot: where it is, and what its numbers mean. */
export class Strip {
  /**
   * @param {number} y
   * @param {number} height
   * @param {number} low
   * @param {number} high
   * @param {boolean} [logarithmic] low and high are exponents of ten
   */
  constructor(y, height, low, high, logarithmic = false) {
    Object.assign(this, { y, height, low, high, logarithmic });
  }

  /** @param {number} value */
  place(value) {
    let at = value;
    if (this.logarithmic) at = value > 0 ? Math.max(FLOOR, Math.log10(value)) : FLOOR;
    at = Math.min(Math.max(at, this.low), this.high);
    return this.y + this.height - ((at - this.low) / (this.high - this.low)) * this.height;
  }
}

/** What all plots share: an SVG as wide as its place, and strips one under the other. */
export class Plot {
  /**
   * @param {HTMLElement} place
   * @param {number} width px
   * @param {number} height
   * @param {[number, number]} range of the horizontal axis
   * @param {string} label
   */
  constructor(place, width, height, range, label) {
    this.outer = width;
    this.width = this.outer - LEFT - RIGHT_EDGE;
    [this.low, this.high] = range;
    this.svg = makeShape("svg", { viewBox: `0 0 ${this.outer} ${height}`, role: "img", "aria-label": label });
    this.svg.setAttribute("style", `height:${height}px`);
    place.replaceChildren(this.svg);
  }

  /** @param {number} value */
  x(value) {
    return LEFT + ((value - this.low) / (this.high - this.low)) * this.width;
  }

  /**
   * @param {string} name
   * @param {Record<string, string | number>} [attributes]
   * @param {string} [text]
   */
  add(name, attributes, text) {
    const element = makeShape(name, attributes, text);
    this.svg.append(element);
    return element;
  }

  /** @param {Strip} strip */
  drawAxis(strip) {
    const ticks = strip.logarithmic
      ? [0, -2, -4, -6].map((power) => 10 ** power)
      : listTicks(strip.high);
    for (const value of ticks) {
      const y = strip.place(value);
      const lowest = strip.logarithmic ? value === ticks.at(-1) : value === 0;
      this.add("line", { class: lowest ? "gm-zero" : "gm-grid", x1: LEFT, x2: LEFT + this.width, y1: y, y2: y });
      let text = writeShort(value);
      if (strip.logarithmic) {
        const power = Math.round(Math.log10(value));
        text = power >= -2 ? String(value) : (lowest ? "≤ " : "") + writePower(power);
      }
      this.add("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text);
    }
  }

  /**
   * @param {Strip} strip
   * @param {string} loss "ce" or "mse"
   * @param {number[]} places
   * @param {number[]} values
   */
  drawLine(strip, loss, places, values) {
    let path = "";
    let drawing = false;
    for (let i = 0; i < places.length; i += 1) {
      if (!Number.isFinite(values[i])) {
        drawing = false;
        continue;
      }
      path += `${drawing ? "L" : "M"}${this.x(places[i]).toFixed(1)},${strip.place(values[i]).toFixed(1)}`;
      drawing = true;
    }
    return this.add("path", { class: `gm-${loss}`, d: path });
  }

  /**
   * @param {Strip} strip
   * @param {string} text
   * @param {string} class_
   * @param {number} [fromRight] place from the right edge; without it at the left
   */
  drawTitle(strip, text, class_, fromRight) {
    const right = fromRight !== undefined;
    return this.add("text", {
      class: `gm-bold gm-halo ${class_}`,
      x: right ? LEFT + this.width - fromRight : LEFT,
      y: strip.y - 8,
      "text-anchor": right ? "end" : "start",
    }, text);
  }

  /**
   * The horizontal axis, under the last strip.
   * @param {Strip} strip
   * @param {[number, string][]} ticks
   * @param {string} label
   */
  drawBottom(strip, ticks, label) {
    const y = strip.y + strip.height;
    for (const [value, text] of ticks) {
      const x = this.x(value);
      this.add("line", { class: "gm-zero", x1: x, x2: x, y1: y, y2: y + 4 });
      this.add("text", { x, y: y + 16, "text-anchor": "middle" }, text);
    }
    this.add("text", { class: "gm-i", x: LEFT + this.width / 2, y: y + 32, "text-anchor": "middle" }, label);
  }
}

// One of the two pictures: matplotlib's curves, and over them what moves, in their coordinates.

const SHAPES = "http://www.w3.org/2000/svg";
const LONG_TANGENT = 60; // half a tangent of the function in front, in pixels
const SHORT_TANGENT = 30;

/** @param {string} name @param {Record<string, string | number>} attributes */
function addShape(name, attributes) {
  const element = document.createElementNS(SHAPES, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

export class CurveChart {
  /**
   * @param {HTMLElement} figure
   * @param {number[]} frame left, right, bottom, top; and place and size in pixels
   * @param {string[]} marks path data of each function's mark
   * @param {boolean} sloped whether tangents are drawn
   */
  constructor(figure, frame, marks, sloped) {
    [this.low, this.high, this.bottom, this.top] = frame;
    [this.left, this.upper, this.width, this.height] = frame.slice(4);
    this.svg = /** @type {SVGSVGElement} */ (figure.querySelector("svg"));
    this.sloped = sloped;
    this.over = addShape("g", { class: "gm-over" });
    this.rule = addShape("path", { class: "gm-rule" });
    this.over.append(this.rule);
    this.tangents = marks.map(() => addShape("path", { class: "gm-tangent" }));
    this.marks = marks.map((d) => addShape("path", { class: "gm-mark", d }));
    if (sloped) this.over.append(...this.tangents);
    this.over.append(...this.marks);
    this.svg.append(this.over);
  }

  /** @param {number} x */
  placeX(x) {
    return this.left + ((x - this.low) / (this.high - this.low)) * this.width;
  }

  /** @param {number} y */
  placeY(y) {
    return this.upper + ((this.top - y) / (this.top - this.bottom)) * this.height;
  }

  /**
   * The value of x under the hand.
   * @param {PointerEvent} event
   */
  readX(event) {
    const box = this.svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * this.svg.viewBox.baseVal.width;
    return this.low + ((at - this.left) / this.width) * (this.high - this.low);
  }

  /**
   * Shades the stretches where the function in front is saturated.
   * @param {[number, number][]} stretches
   */
  shade(stretches) {
    for (const old of this.svg.querySelectorAll(".gm-flat")) old.remove();
    this.svg.prepend(...stretches.map(([from, to]) => addShape("rect", {
      class: "gm-flat", x: this.placeX(from).toFixed(1), y: this.upper,
      width: (this.placeX(to) - this.placeX(from)).toFixed(1), height: this.height,
    })));
  }

  /** @param {number} lead the function to bring to the front */
  bring(lead) {
    for (const path of this.svg.querySelectorAll("path.gm-f")) {
      const own = path.classList.contains(`gm-f${lead}`);
      path.classList.toggle("gm-lead", own);
      if (own) this.over.before(path);
    }
    this.marks.forEach((mark, i) => mark.classList.toggle("gm-lead", i === lead));
    this.tangents.forEach((line, i) => line.classList.toggle("gm-lead", i === lead));
    this.over.append(this.marks[lead]);
  }

  /**
   * @param {number} x
   * @param {number[]} heights of the functions there
   * @param {number[]} slopes
   * @param {number} lead
   */
  move(x, heights, slopes, lead) {
    const across = this.placeX(x);
    this.rule.setAttribute("d", `M${across.toFixed(1)} ${this.upper}v${this.height}`);
    heights.forEach((height, i) => {
      const y = this.placeY(height);
      const shown = Number.isFinite(y);
      this.marks[i].setAttribute("visibility", shown ? "visible" : "hidden");
      if (shown) this.marks[i].setAttribute("transform", `translate(${across.toFixed(1)} ${y.toFixed(1)})`);
      if (!this.sloped) return;
      const tilt = slopes[i] * (this.height / (this.top - this.bottom)) * ((this.high - this.low) / this.width);
      const line = drawTangent(across, y, tilt, i === lead ? LONG_TANGENT : SHORT_TANGENT, this);
      this.tangents[i].setAttribute("d", shown ? line : "");
    });
  }
}

/**
 * A line through a place, so many pixels to both sides of it, cut where the frame ends.
 * @param {number} x @param {number} y
 * @param {number} tilt pixels up a pixel to the right
 * @param {number} half its length
 * @param {{left: number, upper: number, width: number, height: number}} frame
 */
export function drawTangent(x, y, tilt, half, { left, upper, width, height }) {
  if (!Number.isFinite(tilt)) return "";
  const dx = half / Math.hypot(1, tilt);
  /** @param {number} sign of the side */
  const end = (sign) => {
    const room = sign * tilt > 0 ? y - upper : upper + height - y; // up or down
    const aside = sign > 0 ? left + width - x : x - left;
    const reach = Math.min(dx, aside, tilt === 0 ? Infinity : room / Math.abs(tilt));
    return `${(x + sign * reach).toFixed(1)} ${(y - sign * reach * tilt).toFixed(1)}`;
  };
  return `M${end(-1)}L${end(1)}`;
}

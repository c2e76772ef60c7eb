// What TensorFlow has computed of activations: looked up, never computed here.

/**
 * @typedef {object} Lab
 * @property {number} points of the grid
 * @property {number} start the point that is shown at first
 * @property {number} depth layers that are stacked at most
 * @property {number} layers that are stacked at first
 * @property {number[]} bounds below which a derivative counts as saturated
 * @property {number} bound the one at first, as its place
 * @property {{name: string, call: string, dtype: string, best: (number | null)[], shares: number[]}[]} curves
 * @property {Record<string, number[]>} frames left, right, bottom, top; and place and size in pixels
 * @property {[string, string] | null} spread name of the tensor, and how many entries
 * @property {{logits: number[], start: number[], call: string} | null} softmax
 * @property {Record<string, string>} codes
 * @property {Record<string, string>} words
 */

/** Values, derivatives and chains of some functions on one grid. */
export class Curves {
  /**
   * @param {Float64Array} block x, then of each function its value and a row a layer
   * @param {number} points
   * @param {number} depth
   */
  constructor(block, points, depth) {
    this.points = points;
    this.depth = depth;
    this.x = block.subarray(0, points);
    this.block = block;
  }

  /** @param {number} curve @param {number} row 0: value, k: through k layers */
  #row(curve, row) {
    const from = (1 + curve * (1 + this.depth) + row) * this.points;
    return this.block.subarray(from, from + this.points);
  }

  /** @param {number} curve */
  values(curve) {
    return this.#row(curve, 0);
  }

  /** @param {number} curve */
  slopes(curve) {
    return this.#row(curve, 1);
  }

  /**
   * The derivatives as they are drawn: none where there is no value.
   * @param {number} curve
   */
  drawnSlopes(curve) {
    const values = this.values(curve);
    return this.slopes(curve).map((slope, i) => (Number.isFinite(values[i]) ? slope : NaN));
  }

  /**
   * The derivative through so many layers at a point.
   * @param {number} curve @param {number} layers from 1 @param {number} at
   */
  chain(curve, layers, at) {
    return this.#row(curve, layers)[at];
  }
}

/** Softmax of three logits, by the two differences that it depends on. */
export class SoftmaxTable {
  /**
   * @param {Float32Array} block
   * @param {number} positions of a logit
   */
  constructor(block, positions) {
    this.middle = positions - 1;
    this.across = 2 * positions - 1;
    const size = this.across ** 2;
    this.probabilities = block.subarray(0, 3 * size);
    this.jacobians = block.subarray(3 * size, 12 * size);
  }

  /** @param {number[]} positions of the three sliders */
  lookUp([first, second, third]) {
    const row = (this.middle + first - third) * this.across + this.middle + second - third;
    return {
      probabilities: this.probabilities.subarray(3 * row, 3 * row + 3),
      jacobian: this.jacobians.subarray(9 * row, 9 * row + 9),
    };
  }
}

/**
 * Numbers from what a message or a page brings.
 * @template {Float64Array | Float32Array} Kind
 * @param {DataView | string} raw a view, or base64
 * @param {new (buffer: ArrayBuffer) => Kind} Kind
 */
export function readNumbers(raw, Kind) {
  if (typeof raw === "string") {
    return new Kind(Uint8Array.from(atob(raw), (letter) => letter.charCodeAt(0)).buffer);
  }
  const { buffer, byteOffset, byteLength } = raw;
  return new Kind(/** @type {ArrayBuffer} */ (buffer.slice(byteOffset, byteOffset + byteLength)));
}

/**
 * Stretches where |slope| is below a bound, half-way to where it is not: as core/activations does.
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} slopes
 * @param {number} bound
 * @returns {[number, number][]}
 */
export function findSaturated(x, slopes, bound) {
  /** @type {[number, number][]} */
  const stretches = [];
  /** @type {number | null} */
  let start = null;
  for (let i = 0; i <= x.length; i += 1) {
    const flat = i < x.length && Math.abs(slopes[i]) < bound;
    if (flat && start === null) start = i === 0 ? x[0] : (x[i - 1] + x[i]) / 2;
    if (start !== null && !flat) {
      stretches.push([start, i === x.length ? x[i - 1] : (x[i - 1] + x[i]) / 2]);
      start = null;
    }
  }
  return stretches;
}

/**
 * Where a key moves the point to.
 * @param {KeyboardEvent | {key: string, shiftKey?: boolean}} event
 * @param {number} at
 * @param {number} points
 * @returns {number | null} null where it moves nothing
 */
export function movePoint({ key, shiftKey }, at, points) {
  const step = shiftKey ? 10 : 1;
  /** @type {Record<string, number>} */
  const to = {
    ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
    PageDown: at - 20, PageUp: at + 20, Home: 0, End: points - 1,
  };
  return key in to ? Math.max(0, Math.min(points - 1, to[key])) : null;
}

/** @param {number} share a percentage; never 0 or 100 % where it is not exactly that */
export function sayShare(share) {
  const percent = 100 * share;
  if (percent > 0 && percent < 0.05) return "< 0.1 %";
  if (percent >= 99.95 && percent < 100) return "> 99.9 %";
  return `${percent.toFixed(1)} %`;
}

/**
 * A cell's tint, as gradmagic/render/numbers.py has it.
 * @param {number} value
 * @param {number} most
 */
export function findTint(value, most) {
  if (!Number.isFinite(value)) return { kind: "x", share: 100 };
  if (value === 0) return { kind: "z", share: 0 };
  const share = Math.round(100 * Math.sqrt(Math.min(1, Math.abs(value) / most)));
  return { kind: value > 0 ? "p" : "n", share: Math.max(share, 1) };
}

// The kept steps of a descent: numbers that are looked up, and places in the pictures.

const TYPES = { f: [Float32Array, 4], b: [Int8Array, 1], B: [Uint8Array, 1] };

/**
 * One array of a block.
 * @param {ArrayBuffer} block
 * @param {number} start first byte of the run's part
 * @param {[number, number, "f" | "b" | "B"]} place first byte, entries, type
 * @returns {Float32Array | Int8Array | Uint8Array}
 */
export function readArray(block, start, [from, count, type]) {
  const [Type, size] = /** @type {any} */ (TYPES[type]);
  const first = start + from;
  return new Type(block.slice(first, first + count * size)); // a copy: float32 must be aligned
}

/**
 * Position of the kept step that is nearest to one.
 * @param {ArrayLike<number>} steps ascending
 * @param {number} step
 */
export function findNearest(steps, step) {
  let low = 0;
  let high = steps.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle;
  }
  return Math.abs(steps[high] - step) < Math.abs(step - steps[low]) ? high : low;
}

/**
 * @typedef {object} Frame
 * @property {[number, number]} x values at the left and right edge
 * @property {[number, number]} y values at the lower and upper edge
 * @property {boolean} log whether the vertical axis is logarithmic
 * @property {number} left @property {number} top
 * @property {number} width @property {number} height
 */

/** @param {Frame} frame @param {number} value */
export const placeX = (frame, value) =>
  frame.left + (frame.width * (value - frame.x[0])) / (frame.x[1] - frame.x[0]);

/**
 * Null where there is no place for the value: it is no number, or not above 0 on a logarithmic axis.
 * @param {Frame} frame
 * @param {number} value
 */
export function placeY(frame, value) {
  if (!Number.isFinite(value) || (frame.log && value <= 0)) return null;
  const convert = frame.log ? Math.log10 : (/** @type {number} */ one) => one;
  const [low, high] = frame.y.map(convert);
  const share = (convert(value) - low) / (high - low);
  return frame.top + frame.height * (1 - Math.min(1, Math.max(0, share)));
}

/**
 * Places of the values to draw: both ends, and the extremes of each stretch between.
 * @param {ArrayLike<number>} values
 * @param {number} points how many at most
 * @returns {number[]}
 */
export function thinPlaces(values, points = 400) {
  const count = values.length;
  if (count <= points) return Array.from({ length: count }, (_, i) => i);
  const chosen = [0];
  const stretches = (points - 2) >> 1;
  for (let k = 0; k < stretches; k += 1) {
    const from = 1 + Math.floor((k * (count - 2)) / stretches);
    const to = 1 + Math.floor(((k + 1) * (count - 2)) / stretches);
    let low = from;
    let high = from;
    for (let i = from; i < to; i += 1) {
      if (values[i] < values[low] || Number.isNaN(values[low])) low = i;
      if (values[i] > values[high] || Number.isNaN(values[high])) high = i;
    }
    chosen.push(Math.min(low, high));
    if (low !== high) chosen.push(Math.max(low, high));
  }
  chosen.push(count - 1);
  return chosen;
}

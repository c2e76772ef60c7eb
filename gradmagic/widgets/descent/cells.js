// Tables, maps and histograms of one tensor at one step, tinted as Python does it.
import { formatEntry, formatNumber } from "../sidebar/numbers.js";

const CELL_DECIMALS = 3;
const DARKEST = 127;
const BAD = -128;

/**
 * A number that stands alone: no more digits than it needs.
 * @param {number} value
 */
export function writeScalar(value) {
  if (!Number.isFinite(value) || Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6) return formatNumber(value, 6);
  return String(Number(value.toPrecision(6))).replace("-", "\u2212");
}

/**
 * Class and percentage of a cell's tint.
 * @param {number} value
 * @param {number} most the magnitude of the strongest tint
 * @returns {[string, number]}
 */
export function tintCell(value, most) {
  if (!Number.isFinite(value)) return ["x", 100];
  if (value === 0 || !most) return ["z", 0];
  const share = Math.round(100 * Math.sqrt(Math.min(1, Math.abs(value) / most)));
  return [value > 0 ? "p" : "n", Math.max(share, 1)];
}

/**
 * Writes numbers into the cells of a table.
 * @param {Element[]} cells
 * @param {ArrayLike<number>} values
 * @param {number} most
 */
export function fillCells(cells, values, most) {
  cells.forEach((cell, i) => {
    const [kind, share] = tintCell(values[i], most);
    cell.textContent = formatEntry(values[i], CELL_DECIMALS);
    cell.className = kind;
    /** @type {HTMLElement} */ (cell).style.setProperty("--t", String(share));
  });
}

/**
 * The colours of a map, from the page: of -127, 0 and 127.
 * @param {Element} element
 * @returns {number[][]} each red, green, blue
 */
function readColours(element) {
  const style = getComputedStyle(element);
  const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  return ["--gm-neg", "--gm-zero", "--gm-pos"].map((name) => {
    context.fillStyle = style.getPropertyValue(name);
    const hex = context.fillStyle;
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
}

/**
 * A matrix as a picture with a pixel an entry.
 * @param {HTMLCanvasElement} canvas
 * @param {Int8Array} tints
 */
export function drawMap(canvas, tints) {
  const context = canvas.getContext("2d");
  if (!context) return;
  const [negative, zero, positive] = readColours(canvas);
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < tints.length; i += 1) {
    const bad = tints[i] === BAD;
    const share = bad ? 0 : Math.abs(tints[i]) / DARKEST;
    const end = tints[i] < 0 ? negative : positive;
    for (let part = 0; part < 3; part += 1) {
      image.data[4 * i + part] = bad ? 128 : zero[part] + share * (end[part] - zero[part]);
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/**
 * The outline of a histogram.
 * @param {Uint8Array} heights the highest is 255
 * @param {number} width
 * @param {number} height
 */
export function drawBins(heights, width, height) {
  const step = width / heights.length;
  let path = `M0 ${height}`;
  heights.forEach((one, i) => {
    path += `V${(height * (1 - one / 255)).toFixed(1)}H${(step * (i + 1)).toFixed(1)}`;
  });
  return `${path}V${height}z`;
}

// How numbers are written: as gradmagic/render/numbers.py writes them.

const MINUS = "\u2212";
const SMALL_FIGURES = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** @param {string} text */
const putMinus = (text) => text.replaceAll("-", MINUS);

/** @param {string} text a number in exponential notation, as toExponential gives it */
const splitPower = (text) => {
  const [mantissa, power] = text.split("e");
  return { mantissa, exponent: Number(power) };
};

/** @param {number} value NaN or infinite */
const nameSpecial = (value) =>
  Number.isNaN(value) ? "nan" : value > 0 ? "inf" : `${MINUS}inf`;

/**
 * With a number of significant digits, and no exponent where short.
 * @param {number} value
 */
export function formatNumber(value, digits = 4) {
  if (!Number.isFinite(value)) return nameSpecial(value);
  if (value === 0) return "0";
  const { exponent } = splitPower(value.toExponential(digits - 1));
  if (exponent >= -4 && exponent < Math.max(digits, 6)) {
    return putMinus(value.toFixed(Math.max(0, digits - 1 - exponent)));
  }
  const { mantissa, exponent: power } = splitPower(value.toExponential(digits - 2));
  return putMinus(`${mantissa}e${power}`);
}

/**
 * A number of a column that changes while one looks: fixed decimals, so that it stands still.
 * @param {number} value
 */
export function formatEntry(value, decimals = 4) {
  if (!Number.isFinite(value)) return nameSpecial(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e6) {
    const { mantissa, exponent } = splitPower(value.toExponential(1));
    return putMinus(`${mantissa}e${exponent}`);
  }
  if (size >= 1000) return putMinus(value.toFixed(0));
  return putMinus(value.toFixed(size >= 100 ? 1 : size >= 10 ? Math.min(decimals, 2) : decimals));
}

/** @param {number} value a logit or a factor: two decimals */
export const formatPlace = (value) => putMinus(value.toFixed(2));

/**
 * A size in a sentence: no more digits than one hears.
 * @param {number} value
 */
export function sayNumber(value) {
  if (!Number.isFinite(value)) return nameSpecial(value);
  if (value === 0) return "0";
  const { mantissa, exponent } = splitPower(value.toExponential(0));
  if (value >= 0.1) return value.toFixed(2);
  if (exponent >= -5) return value.toFixed(exponent < -3 ? -exponent : 1 - exponent);
  return raise(mantissa, exponent);
}

/**
 * How many times larger, in two digits; empty where that is no number.
 * @param {number} ratio
 */
export function sayTimes(ratio) {
  if (!Number.isFinite(ratio)) return "";
  if (ratio < 10) return ratio.toFixed(1);
  if (ratio < 1e6) {
    return String(Number(ratio.toPrecision(2))).replace(/\B(?=(\d{3})+$)/g, ",");
  }
  const { mantissa, exponent } = splitPower(ratio.toExponential(0));
  return raise(mantissa, exponent);
}

/** @param {number} exponent of ten, in small figures */
export function writePower(exponent) {
  const figures = [...String(Math.abs(exponent))].map((figure) => SMALL_FIGURES[Number(figure)]);
  return `10${exponent < 0 ? "⁻" : ""}${figures.join("")}`;
}

/**
 * @param {string} mantissa
 * @param {number} exponent
 */
const raise = (mantissa, exponent) =>
  mantissa === "1" ? writePower(exponent) : `${mantissa} × ${writePower(exponent)}`;

// Whether an answer is right, as core/asking/marking.py says it; one table of cases tests both.

/**
 * @typedef {{right: string[], number: number | null, truth: string, why: string[]}} Truth
 * @typedef {"right" | "close" | "wrong" | "skipped"} Verdict
 * @typedef {{value: number, half: number}} Reading
 */

const RIGHT_WITHIN = 0.02, CLOSE_WITHIN = 0.2, ROUGH_WITHIN = 0.1, MARKING_SLACK = 1e-9;
const ANSWER_WORDS = /** @type {Record<string, string>} */ ({
  none: "none", null: "none", nogradient: "none", "无": "none", "没有": "none", "没有梯度": "none", "无梯度": "none",
  nan: "nan", inf: "inf", infinity: "inf", "∞": "inf", "无穷": "inf", "无穷大": "inf", "正无穷": "inf", "负无穷": "-inf",
});
const RAISED = "⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", RAISED_PLAIN = "-+0123456789";
const DECIMAL = /^[+-]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/;
const PART = /(\p{Nd})\s*([¼-¾⅐-⅞])/gu;
const MIXED_TYPED = /(\p{Nd})\s+([1-9]\p{Nd}?)\s*\/\s*(\p{Nd})/gu; // three digits are thousands
const MIXED = /^([+-]?)(\d+)&(\d+)\/(\d+)$/;
const POWER = /^(?:([+-]?[\d.]+)[*x]|([+-]?))10(?:\^|\*\*)\(?([+-]?\d+)\)?$/;

/** @param {string} text */
function replaceSigns(text) {
  return text.replace(/[\u2212\u2010-\u2014\ufe63]/g, "-").replaceAll("。", ".").replaceAll("、", ",")
    .replace(/[×·⋅]/g, "*").replace(/[÷⁄]/g, "/");
}

/**
 * An answer in plain letters; a mixed fraction becomes `1&1/2`.
 * @param {string} text
 */
export function simplifyAnswer(text) {
  let plain = text.replace(/[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (run) =>
    "^" + [...run].map((letter) => RAISED_PLAIN[RAISED.indexOf(letter)]).join(""));
  plain = plain.replace(PART, "$1 $2"); // NFKC alone would make 11/2 of 1½
  plain = replaceSigns(replaceSigns(plain).normalize("NFKC")).replace(MIXED_TYPED, "$1&$2/$3");
  plain = plain.replace(/\s/g, "").toLowerCase().replace(/^[≈~=]+/, "").replace(/^[[(](.*)[\])]$/, "$1");
  const negative = plain.startsWith("-");
  const bare = /^[+-]/.test(plain) ? plain.slice(1) : plain;
  const word = Object.hasOwn(ANSWER_WORDS, bare) ? ANSWER_WORDS[bare] : null;
  if (word === null) return plain;
  return negative && word === "inf" ? "-inf" : word;
}

/**
 * A fraction; null where it cannot be read, or is beyond what a number can be.
 * @param {string} dividend
 * @param {string} divisor
 * @returns {Reading | null}
 */
function divide(dividend, divisor) {
  const above = readOneNumber(dividend), below = readOneNumber(divisor);
  if (!above || !below || below.value === 0) return null;
  const value = above.value / below.value;
  if (!Number.isFinite(value) || (value === 0 && above.value !== 0)) return null;
  return { value, half: 0 };
}

/**
 * @param {string} text
 * @returns {Reading | null}
 */
function readOneNumber(text) {
  if (text.endsWith("%")) {
    const share = readOneNumber(text.slice(0, -1));
    return share && { value: share.value / 100, half: share.half / 100 };
  }
  const mixed = MIXED.exec(text);
  if (mixed) {
    const whole = readOneNumber(mixed[2]), part = divide(mixed[3], mixed[4]);
    if (!whole || !part) return null;
    const size = whole.value + part.value;
    return { value: mixed[1] === "-" ? -size : size, half: 0 };
  }
  const parts = text.split("/");
  if (parts.length === 2) return divide(parts[0], parts[1]);
  const power = POWER.exec(text);
  if (power) return readOneNumber(`${power[1] ?? `${power[2] ?? ""}1`}e${power[3]}`);
  const found = DECIMAL.exec(text);
  if (!found || text.length > 40) return null;
  const value = Number(text), exponent = Number(found[3] ?? 0);
  if (Math.abs(exponent) > 300 || !Number.isFinite(value)) return null;
  const half = 0.5 * 10 ** (exponent - (found[1] ?? found[2] ?? "").length);
  return { value, half: found[3] === undefined ? half : Math.min(half, ROUGH_WITHIN * Math.abs(value)) };
}

/**
 * What a text can mean.
 * @param {string} plain
 * @returns {Reading[]}
 */
function readAllNumbers(plain) {
  let texts = [plain];
  if (plain.includes(",")) {
    texts = plain.split(",").length === 2 && !plain.includes(".") ? [plain.replace(",", ".")] : [];
    if (/^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(plain)) texts.push(plain.replaceAll(",", ""));
  }
  return texts.map(readOneNumber).filter((reading) => reading !== null);
}

/**
 * @param {Reading} guess
 * @param {number} truth
 * @param {string[]} right
 * @returns {Verdict}
 */
function compareNumbers(guess, truth, right) {
  const off = Math.abs(guess.value - truth), size = Math.abs(truth);
  const slack = MARKING_SLACK * Math.max(size, Math.abs(guess.value));
  if (guess.value === 0) {
    if (truth === 0 || right.includes("0")) return "right";
    return off <= guess.half + slack ? "close" : "wrong";
  }
  if (off <= Math.max(guess.half, RIGHT_WITHIN * size) + slack) return "right";
  return off <= CLOSE_WITHIN * size + slack ? "close" : "wrong";
}

/**
 * The verdict on an answer; "skipped" where it cannot be read as one.
 * @param {{kind: string, choices: {value: string}[]}} question
 * @param {Truth} truth
 * @param {string} value
 * @returns {Verdict}
 */
export function markAnswer(question, truth, value) {
  const plain = simplifyAnswer(value);
  if (truth.right.includes(value) || truth.right.includes(plain)) return "right";
  const known = question.choices.some((choice) => choice.value === value || choice.value === plain);
  if (question.kind !== "number") {
    return known || (question.kind === "entry" && /^\d+(,\d+)*$/.test(plain)) ? "wrong" : "skipped";
  }
  const readings = readAllNumbers(plain);
  if (!readings.length) {
    return known || ["none", "nan", "inf", "-inf"].includes(plain) ? "wrong" : "skipped";
  }
  const number = truth.number;
  if (number === null) {
    return truth.right.includes("0") && readings.some((one) => one.value === 0) ? "right" : "wrong";
  }
  const verdicts = readings.map((reading) => compareNumbers(reading, number, truth.right));
  return verdicts.includes("right") ? "right" : verdicts.includes("close") ? "close" : "wrong";
}

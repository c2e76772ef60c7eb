// What was answered, the truth beside it, and why.
import { make } from "../elements.js";

/**
 * @typedef {import("./marking.js").Truth} Truth
 * @typedef {import("./marking.js").Verdict} Verdict
 * @typedef {import("./quiz.js").Question} Question
 */

const VERDICT_SIGNS = { right: "✓", close: "≈", wrong: "✗", skipped: "–" };

/**
 * What was answered, as its reader said it.
 * @param {Question} question
 * @param {string} value
 */
export function describeAnswer(question, value) {
  const choice = question.choices.find((one) => one.value === value);
  if (choice) return choice.label;
  if (question.kind === "entry" && value) return `${question.subject}[${value.replace(",", ", ")}]`;
  return value.trim() || "–";
}

/**
 * What a line of the reasons is: a formula, a factor of the chain rule with its rule, or a sentence.
 * @param {string} line
 * @returns {{kind: "formula" | "rule" | "sentence", head: string, text: string}}
 */
export function sortReason(line) {
  if (/^d \S.* = |^\+ d \S/.test(line)) return { kind: "formula", head: "", text: line };
  const rule = /^(d [^:]+\/d [^:]+): (.+)$/.exec(line);
  if (rule) return { kind: "rule", head: rule[1], text: rule[2] };
  return { kind: "sentence", head: "", text: line };
}

/** @param {string} line */
function makeReason(line) {
  const { kind, head, text } = sortReason(line);
  if (kind === "rule") {
    return make("p", { class: "gm-rule" }, make("code", {}, head), make("span", {}, text));
  }
  if (kind === "sentence") return make("p", {}, text);
  const factors = text.split(/ (?=[·=] )(?![^(]*\))/).map((factor) => make("span", {}, factor)); // none is broken
  const spread = factors.flatMap((factor, i) => (i ? [" ", factor] : [factor]));
  return make("p", { class: "gm-formula gm-g" }, make("code", {}, ...spread));
}

/**
 * What was answered, the truth beside it, and why.
 * @param {Question} question
 * @param {Truth} truth
 * @param {string} value
 * @param {Verdict} verdict
 * @param {Record<string, string>} words
 */
export function makeResult(question, truth, value, verdict, words) {
  const sign = make("i", { "aria-hidden": "true" }, VERDICT_SIGNS[verdict]);
  const head = make("p", { class: "gm-verdict" }, sign, make("strong", {}, words[verdict]),
    make("span", {}, question.text));
  const pair = make("dl", { class: "gm-beside" });
  if (verdict !== "skipped") {
    pair.append(make("div", {}, make("dt", {}, words.guess),
      make("dd", {}, describeAnswer(question, value))));
  }
  pair.append(make("div", { class: "gm-g" }, make("dt", {}, words.truth), make("dd", {}, truth.truth)));
  const result = make("li", { class: `gm-result gm-${verdict}` }, head, pair);
  if (truth.why.length) {
    const lines = truth.why.flatMap((text) => text.split("\n")).map(makeReason);
    result.append(make("details", { class: "gm-reasons", open: "" },
      make("summary", {}, words.why), make("div", {}, ...lines)));
  }
  return result;
}

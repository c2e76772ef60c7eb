// What is said of an answer: as claims.py, top.py and ways.py say it.
import { fillTemplate, fillText, make, put } from "../elements.js";
import { isTooShort, setBar } from "./bars.js";
import { formatEntry, formatNumber, sayNumber, sayTimes } from "./numbers.js";

const SURE = 0.9; // probability of the true class from which on a right answer is sure
const LONGEST_PULL = Math.SQRT2; // crossentropy's, of a sample that is surely wrong
const STATES = ["right", "wrong", "stuck", "undecided"]; // as core/sliders.py numbers them

/**
 * The claim that fits an answer.
 * @param {number} state
 * @param {number} probability of the true class
 */
export function nameState(state, probability) {
  const name = STATES[state];
  return name === "right" && probability < SURE ? "unsure" : name;
}

/**
 * What breaks in one way to write crossentropy; null where it is sound.
 * @param {number} value
 * @param {number} gradient
 * @param {number} stable the gradient of the stable way
 */
export function nameFlaw(value, gradient, stable) {
  if (Math.abs(value) === Infinity) return "log";
  if (Number.isNaN(value) || Number.isNaN(gradient)) return "gradient";
  return gradient === 0 && Math.abs(stable) > 1e-6 ? "clipped" : null;
}

/**
 * What the true class has at a slider's position.
 * @param {import("./tables.js").Table} table
 * @param {number} slider
 * @param {number} position
 */
function findTrue(table, slider, position) {
  const at = table.shown.indexOf(table.findTrueClass(slider, position));
  return table.findClass(slider, position, at);
}

/**
 * The top of the panel: which sample, the claim, and both pulls.
 * @param {Record<string, any>} parts of the panel, by name
 * @param {Record<string, string>} words
 * @param {import("./tables.js").Table} table
 * @param {number} slider
 * @param {number} position
 * @param {boolean} moved
 */
export function drawClaim(parts, words, table, slider, position, moved) {
  /** @param {string} name */
  const find = (name) => table.find(slider, position, name);
  const crossentropy = find("crossentropy_pull");
  const mse = find("mse_pull");
  const { sample } = table;
  put(parts.which, fillText(moved ? words.sample_moved : words.sample, { sample }));
  /** @param {string} text @param {string} class_ */
  const colour = (text, class_) => make("span", { class: class_ }, text);
  /** @param {number} value */
  const say = (value) => (value === 0 ? words.exactly : sayNumber(value));
  const state = nameState(find("state"), findTrue(table, slider, position).probability);
  parts.claim.replaceChildren(...fillTemplate(words[`claim_${state}`], {
    sample: String(sample),
    crossentropy: colour(words.crossentropy, "gm-ce"),
    mse: colour(words.mse, "gm-mse"),
    crossentropy_pull: colour(say(crossentropy), "gm-ce gm-n"),
    mse_pull: colour(say(mse), "gm-mse gm-n"),
  }));
  setBar(parts["pull-ce"], crossentropy / LONGEST_PULL);
  setBar(parts["pull-mse"], mse / LONGEST_PULL);
  put(parts["pull-ce-v"], formatEntry(crossentropy));
  put(parts["pull-mse-v"], formatEntry(mse));
  const ratio = find("ratio");
  const times = ratio >= 1 ? sayTimes(ratio) : "";
  const note = times ? fillText(words.times_shorter, { times }) : "";
  put(parts.ratio, mse === 0 ? words.exactly : note);
  put(parts.short, isTooShort(mse / LONGEST_PULL) ? words.too_short : "");
  parts.note.style.left = `calc(${(100 * mse) / LONGEST_PULL}% + 8px)`;
}

/**
 * Crossentropy of the row in hand, in three ways, and what breaks in them.
 * @param {Record<string, any>} parts of the panel, by name
 * @param {Record<string, string>} words
 * @param {import("./tables.js").Table} table
 * @param {number} slider
 * @param {number} position
 */
export function drawWays(parts, words, table, slider, position) {
  /** @param {string} name */
  const find = (name) => table.find(slider, position, name);
  const stable = findTrue(table, slider, position).crossentropy;
  const ways = [
    [find("probabilities"), find("probabilities_gradient")],
    [find("hand"), find("hand_gradient")],
    [find("crossentropy"), stable],
  ];
  ways.forEach(([value, gradient], i) => {
    const cell = parts[`way-${i}`];
    const flaw = nameFlaw(value, gradient, stable);
    const slope = formatNumber(gradient, 5);
    const written = formatNumber(value, 7);
    const below = flaw ? fillText(words[`flaw_${flaw}`], { gradient: slope }) : slope;
    if (cell.textContent === written + below) return;
    cell.replaceChildren(
      Number.isFinite(value) ? written : make("b", {}, written),
      make("div", flaw ? { class: "gm-flaw" } : {}, below),
    );
  });
}

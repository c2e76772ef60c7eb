// What is said of an answer: as gradmagic/render/losses/claims.py says it.

const SURE = 0.9; // probability of the true class from which on a right answer is sure
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

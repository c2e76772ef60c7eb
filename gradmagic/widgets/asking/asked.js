// A panel that is held back until its questions are answered.
import { mountQuiz } from "./quiz.js";
import { unpack } from "./veil.js";
import { addPresenting } from "../presenting.js";

/**
 * Asks, and then gives the place of the panel, under the guesses and their truths.
 * @param {Element} root what render/asking/held.py made
 * @param {any} quiz
 * @param {(guess: {key: string, value: string}) => void} onGuess
 * @param {(target: HTMLElement) => void} open puts the panel into its place
 * @param {AbortSignal} signal takes the listeners away
 */
export function askFirst(root, quiz, onGuess, open, signal) {
  const [facts, spot, target] = ["facts", "quiz", "opened"].map((key) =>
    /** @type {HTMLElement} */ (root.querySelector(`[data-k="${key}"]`)));
  const onDone = () => {
    if (signal.aborted) return;
    facts.remove();
    root.querySelector('[data-k="below"]')?.remove();
    open(target);
  };
  mountQuiz(spot, quiz, quiz.words, { onGuess, onDone }, signal);
}

/**
 * The same for a widget: its answers of before are kept, so that nothing is asked twice.
 * @param {any} model with `facts`, `quiz` and `given`
 * @param {HTMLElement} place
 * @param {(target: HTMLElement) => void} open
 * @param {AbortSignal} signal
 */
export function askLive(model, place, open, signal) {
  const quiz = model.get("quiz");
  if (!quiz?.questions) return void open(place);
  place.innerHTML = model.get("facts");
  addPresenting(place, place.querySelector(".gm-facts"), model, signal);
  /** @param {{key: string, value: string}} guess */
  const onGuess = ({ key, value }) => {
    model.set("given", { ...model.get("given"), [key]: value });
    model.send({ kind: "guess", key, value });
  };
  askFirst(place, { ...quiz, given: model.get("given") }, onGuess, open, signal);
}

/**
 * The same on a page without a kernel, which brings the panel along, out of sight.
 * @param {Element} root
 * @param {{quiz?: any, held?: string}} data
 * @param {(root: HTMLElement, data: any) => void} mount brings a panel that is on the page to life
 * @param {string} selector of the panel
 */
export function askSaved(root, data, mount, selector) {
  /** @param {Element} within @param {any} numbers */
  const start = (within, numbers) => {
    const panel = within.querySelector(selector);
    if (panel instanceof HTMLElement) mount(panel, numbers);
  };
  if (!data.quiz) return start(root, data);
  askFirst(root, data.quiz, () => {}, async (target) => {
    const held = JSON.parse(await unpack(data.held ?? ""));
    target.innerHTML = held.html;
    start(target, JSON.parse(held.numbers));
  }, new AbortController().signal);
}

// Questions before a report: they are asked one by one, marked here, and explained at once.
import { makeChoices, makeEntryTable, makeNumber, moveEntry } from "./inputs.js";
import { markAnswer } from "./marking.js";
import { fillText, make } from "../elements.js";
import { makeResult } from "./results.js";
import { unveil } from "./veil.js";

/**
 * @typedef {import("./marking.js").Truth} Truth
 * @typedef {import("./marking.js").Verdict} Verdict
 * @typedef {{key: string, subject: string, kind: "choice" | "entry" | "number", text: string,
 *   choices: {value: string, label: string}[], shape: number[], cells: string[], veil: string}} Question
 * @typedef {{questions: Question[], words?: Record<string, string>, given?: Record<string, string>}} Quiz
 * @typedef {{onGuess?: (guess: {key: string, value: string, verdict: Verdict}) => void,
 *   onDone?: () => void}} Hooks
 */

/** Asks one question after the other. */
class AskedQuiz {
  /**
   * @param {HTMLElement} place
   * @param {Quiz} quiz
   * @param {Record<string, string>} words
   * @param {Hooks} hooks
   */
  constructor(place, quiz, words, hooks) {
    this.quiz = quiz;
    this.words = words;
    this.hooks = hooks;
    this.done = false;
    this.rightOnes = 0;
    this.answered = 0; // what was not guessed counts neither as right nor as wrong
    // Each report has this module for itself: a number counted here would not be the page's only one.
    this.own = Math.random().toString(36).slice(2, 10);
    this.count = make("span", { class: "gm-s" });
    this.heading = make("p", { class: "gm-h", role: "heading", "aria-level": "3", tabindex: "-1" }, words.title);
    this.results = make("ol", { class: "gm-results" });
    this.form = make("form", { class: "gm-question" });
    this.told = make("p", { class: "gm-unseen", "aria-live": "polite" });
    this.lead = make("p", { class: "gm-lead" }, words.lead);
    this.root = make("div", { class: "gm gm-quiz", role: "group", "aria-label": words.title },
      make("div", { class: "gm-quiz-top" }, this.heading, this.count),
      this.lead, this.results, this.form, this.told);
    place.replaceChildren(this.root);
    this.at = 0;
  }

  /** The question that is asked now. */
  get question() {
    return this.quiz.questions[this.at];
  }

  /** @param {AbortSignal} signal takes the listeners away */
  listen(signal) {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.answer();
    }, { signal });
    // JupyterLab and Notebook 7 take keys for their cells, in the capturing phase of the document.
    // The window comes before it.
    window.addEventListener("keydown", (event) => this.hearKey(event), { capture: true, signal });
  }

  /** @param {KeyboardEvent} event */
  hearKey(event) {
    const focused = event.target;
    if (!(focused instanceof HTMLElement) || !this.root.contains(focused) || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Tab" || event.key === "Escape" || /^F\d/.test(event.key)) return;
    if (event.key === "Enter" && event.shiftKey) return;
    event.stopPropagation(); // no command of the notebook's; what it does by itself it still does
    if (!(focused instanceof HTMLInputElement)) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.answer();
    } else if (focused.dataset.at !== undefined) {
      const next = moveEntry(event.key, Number(focused.dataset.at), this.question.shape);
      if (next === null) return;
      event.preventDefault();
      const radio = this.form.querySelector(`[data-at="${next}"]`);
      if (!(radio instanceof HTMLInputElement)) return;
      radio.checked = true;
      radio.focus();
    }
  }

  /** @returns {string} the answer that stands in the form */
  readAnswer() {
    const chosen = this.form.querySelector("input[type=radio]:checked");
    if (chosen instanceof HTMLInputElement) return chosen.value;
    const field = this.form.querySelector(".gm-typed");
    return field instanceof HTMLInputElement ? field.value : "";
  }

  /** Mark the answer that stands in the form; what cannot be read is asked for again. */
  answer() {
    if (this.done) return;
    const value = this.readAnswer();
    const verdict = markAnswer(this.question, JSON.parse(unveil(this.question.veil)), value);
    if (verdict === "skipped") {
      this.complain(this.question.kind === "number" ? this.words.unread : this.words.unchosen);
      return;
    }
    this.settle(value, verdict);
    this.goOn(true);
  }

  /** @param {string} text */
  complain(text) {
    const said = this.form.querySelector(".gm-complaint");
    if (said) said.textContent = text;
    const control = this.form.querySelector(".gm-typed, input:checked, input");
    if (control instanceof HTMLElement) control.focus();
    if (control instanceof HTMLInputElement && control.type === "text") control.select(); // typing replaces it
  }

  /**
   * Show what was answered, and move on.
   * @param {string} value
   * @param {Verdict} verdict
   */
  settle(value, verdict) {
    const question = this.question;
    const truth = /** @type {Truth} */ (JSON.parse(unveil(question.veil)));
    if (verdict === "right") this.rightOnes += 1;
    if (verdict !== "skipped") this.answered += 1;
    for (const earlier of this.results.querySelectorAll("details")) earlier.open = false;
    this.results.append(makeResult(question, truth, value, verdict, this.words));
    this.told.textContent = this.words.told
      .replace("{verdict}", () => this.words[verdict])
      .replace("{truth}", () => truth.truth);
    this.hooks.onGuess?.({ key: question.key, value, verdict });
    this.at += 1;
  }

  /** Show all that is left. */
  giveUp() {
    while (this.at < this.quiz.questions.length) this.settle("", "skipped");
    this.goOn(true);
  }

  /** @param {boolean} focus whether the focus was in the form and goes on to the next question */
  goOn(focus) {
    const all = this.quiz.questions.length;
    if (this.at < all) {
      this.count.textContent = fillText(this.words.of, { number: this.at + 1, count: all });
      this.ask(focus);
      return;
    }
    this.done = true;
    this.form.remove();
    this.lead.remove();
    this.count.textContent = this.answered
      ? fillText(this.words.score, { count: this.rightOnes, all: this.answered })
      : this.words.skipped;
    this.root.classList.add("gm-done");
    this.hooks.onDone?.();
    if (focus) this.heading.focus({ preventScroll: true });
  }

  /** @param {boolean} focus */
  ask(focus) {
    const { question, words } = this;
    const group = `gm-asked-${this.own}-${this.at}`;
    const fields = make("fieldset", {}, make("legend", {}, question.text));
    if (question.kind === "number") fields.append(makeNumber(question, group, words));
    else {
      if (question.kind === "entry") fields.append(makeEntryTable(question, group, words));
      if (question.choices.length) fields.append(makeChoices(question, group));
    }
    const show = make("button", { type: "button", class: "gm-show-answers" }, words.show);
    show.addEventListener("click", () => this.giveUp());
    const check = make("button", { type: "submit", class: "gm-check" }, words.check);
    const complaint = make("p", { class: "gm-complaint", role: "alert" });
    this.form.replaceChildren(fields, complaint, make("div", { class: "gm-acts" }, check, show));
    const first = this.form.querySelector("input");
    if (focus && first) first.focus({ preventScroll: true });
    if (focus) this.form.scrollIntoView({ block: "nearest" });
  }
}

/**
 * Asks the questions, one after the other, and stays as a list of guesses and truths.
 * @param {HTMLElement} place is emptied first
 * @param {Quiz} quiz from render/asking/document.py; `given`: answers of before, by key
 * @param {Record<string, string>} words in the user's language
 * @param {Hooks} hooks
 * @param {AbortSignal} signal takes the listeners away
 */
export function mountQuiz(place, quiz, words, hooks, signal) {
  const silent = /** @type {Hooks} */ ({});
  const asked = new AskedQuiz(place, quiz, words, silent);
  asked.listen(signal);
  const given = quiz.given ?? {};
  while (asked.at < quiz.questions.length && asked.question.key in given) {
    const value = given[asked.question.key];
    asked.settle(value, markAnswer(asked.question, JSON.parse(unveil(asked.question.veil)), value));
  }
  asked.hooks = hooks;
  asked.goOn(false);
}

// How a question is answered: by a choice, by an entry of a table, by a number.
import { fillText, make } from "../elements.js";

/** @typedef {import("./quiz.js").Question} Question */

/**
 * The entry that an arrow key moves to.
 * @param {string} key as KeyboardEvent names it
 * @param {number} at number of the entry, row by row
 * @param {number[]} shape
 * @returns {number | null} null where the key moves nowhere
 */
export function moveEntry(key, at, shape) {
  const columns = shape[shape.length - 1], rows = shape.length > 1 ? shape[0] : 1;
  const row = Math.floor(at / columns), column = at % columns;
  switch (key) {
    case "ArrowRight":
      return row * columns + Math.min(column + 1, columns - 1);
    case "ArrowLeft":
      return row * columns + Math.max(column - 1, 0);
    case "ArrowDown":
      return Math.min(row + 1, rows - 1) * columns + column;
    case "ArrowUp":
      return Math.max(row - 1, 0) * columns + column;
    case "Home":
      return row * columns;
    case "End":
      return (row + 1) * columns - 1;
    default:
      return null;
  }
}

/**
 * An entry's index as it is sent, "1,2", of its number.
 * @param {number} at
 * @param {number[]} shape
 */
export function writeEntry(at, shape) {
  const columns = shape[shape.length - 1];
  return shape.length > 1 ? `${Math.floor(at / columns)},${at % columns}` : String(at);
}

/**
 * @param {string} group what the radio buttons of one question share
 * @param {string} value
 * @param {string} [label] what is read where no text stands beside it
 */
function makeRadio(group, value, label) {
  const radio = /** @type {HTMLInputElement} */ (make("input", { type: "radio", name: group, value }));
  if (label) radio.setAttribute("aria-label", label);
  return radio;
}

/**
 * The choices, one below the other.
 * @param {Question} question
 * @param {string} group
 */
export function makeChoices(question, group) {
  const list = make("div", { class: "gm-choices" });
  for (const { value, label } of question.choices) {
    list.append(make("label", {}, makeRadio(group, value), make("span", {}, label)));
  }
  return list;
}

/**
 * A table whose entries can be chosen.
 * @param {Question} question
 * @param {string} group
 * @param {Record<string, string>} words
 */
export function makeEntryTable(question, group, words) {
  const { shape, cells } = question;
  const columns = shape[shape.length - 1], rows = shape.length > 1 ? shape[0] : 1;
  const head = make("tr", {}, make("td"));
  for (let column = 0; column < columns; column++) {
    head.append(make("th", { scope: "col" }, String(column)));
  }
  const body = make("tbody");
  for (let row = 0; row < rows; row++) {
    const label = shape.length > 1 ? make("th", { scope: "row" }, String(row)) : make("td");
    const line = make("tr", {}, label);
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column, value = writeEntry(at, shape);
      const index = `[${value.replace(",", ", ")}]`;
      const read = fillText(words.entry, { name: question.subject, index, value: cells[at] ?? "" });
      const radio = makeRadio(group, value, read);
      radio.dataset.at = String(at);
      line.append(make("td", {}, make("label", {}, radio, make("span", {}, cells[at] ?? ""))));
    }
    body.append(line);
  }
  const table = make("table", { class: "gm-entries" }, make("thead", {}, head), body);
  return make("div", { class: "gm-scroll" }, table);
}

/**
 * A field for a number, and the choices beside it.
 * @param {Question} question
 * @param {string} group
 * @param {Record<string, string>} words
 */
export function makeNumber(question, group, words) {
  const field = /** @type {HTMLInputElement} */ (make("input", {
    type: "text", class: "gm-typed", autocomplete: "off", spellcheck: "false", "aria-describedby": `${group}-hint`,
  }));
  const hint = make("p", { class: "gm-s", id: `${group}-hint` }, words.hint);
  const label = make("label", { class: "gm-field" }, make("span", {}, words.typed), field);
  const choices = question.choices.length ? makeChoices(question, group) : null;
  choices?.addEventListener("change", () => { field.value = ""; });
  field.addEventListener("input", () => {
    const chosen = choices?.querySelector("input:checked");
    if (chosen instanceof HTMLInputElement) chosen.checked = false;
  });
  return make("div", {}, label, hint, choices && make("p", { class: "gm-s gm-or" }, words.or), choices);
}

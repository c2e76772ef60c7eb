// The list of samples: sorted by a click on a heading, taken in hand by a click on a row.
import { fillText, make } from "../elements.js";

/**
 * The order of rows by a column: numbers by size, missing ones last, equal ones as they were.
 * @param {(number | null)[]} values
 * @param {boolean} falling
 */
export function sortOrder(values, falling) {
  const order = values.map((_, i) => i);
  return order.sort((a, b) => {
    const [x, y] = [values[a], values[b]];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || a - b;
    return (falling ? y - x : x - y) || a - b;
  });
}

export class SampleList {
  /**
   * @param {HTMLElement} table
   * @param {Record<string, any>} batch
   * @param {Record<string, string>} words
   * @param {number[] | null} held the samples that can be taken in hand; null: all
   * @param {(sample: number) => void} onChoose
   * @param {AbortSignal} signal takes the listeners away
   */
  constructor(table, batch, words, held, onChoose, signal) {
    this.table = table;
    this.body = /** @type {HTMLElement} */ (table.querySelector("tbody"));
    this.batch = batch;
    for (const row of this.#rows()) {
      const sample = Number(row.dataset.sample);
      if (held && !held.includes(sample)) continue;
      const label = fillText(words.select, { sample });
      const button = make("button", { type: "button", "aria-label": label }, String(sample));
      row.querySelector("th")?.replaceChildren(button);
      row.classList.add("gm-choose");
      row.addEventListener("click", () => onChoose(sample), { signal });
    }
    for (const head of table.querySelectorAll("[data-sort]")) {
      const button = make("button", { type: "button" }, head.textContent ?? "");
      head.replaceChildren(button);
      button.addEventListener("click", () => this.sort(head), { signal });
    }
  }

  #rows() {
    return /** @type {HTMLElement[]} */ ([...this.body.children]);
  }

  /** The samples that can be taken in hand, in the order in which they stand. */
  listSamples() {
    const rows = this.#rows().filter((row) => row.classList.contains("gm-choose"));
    return rows.map((row) => Number(row.dataset.sample));
  }

  /** @param {number} sample that is in hand */
  mark(sample) {
    for (const row of this.#rows()) {
      const chosen = Number(row.dataset.sample) === sample;
      if (chosen) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
      row.querySelector("th button")?.setAttribute("aria-pressed", String(chosen));
    }
  }

  /**
   * Sorts by a column, losses and ratios from the largest; once more: the other way round.
   * @param {Element} head
   */
  sort(head) {
    const key = head.getAttribute("data-sort") ?? "";
    const measured = Array.isArray(this.batch[key]);
    const before = head.getAttribute("aria-sort");
    const falling = before === null ? measured : before === "ascending";
    const rows = this.#rows();
    const values = rows.map((row) =>
      measured ? this.batch[key][Number(row.dataset.at)] : Number(row.dataset[key]));
    for (const other of this.table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    this.body.append(...sortOrder(values, falling).map((i) => rows[i]));
  }

  /**
   * Takes the row above or below in hand.
   * @param {string} key as KeyboardEvent names it
   * @param {Element} focused
   * @returns {boolean} whether the key means that
   */
  step(key, focused) {
    const row = focused.closest("tr.gm-choose");
    if (!row || (key !== "ArrowDown" && key !== "ArrowUp")) return false;
    const next = key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    const button = next?.querySelector("th button");
    if (button instanceof HTMLElement) {
      button.focus();
      button.click();
    }
    return true;
  }
}

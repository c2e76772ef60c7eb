// Finding nodes by what is written on them: names, ops, lines.
import { fillText, make } from "../elements.js";

const MOST_FOUND = 200;

/**
 * How well a text fits what is sought: 3 it is it, 2 it begins so, 1 a word begins so, 0.5 it holds it.
 * @param {string | null | undefined} text
 * @param {string} sought in lower case
 */
export function rateText(text, sought) {
  const lower = (text ?? "").toLowerCase();
  const at = lower.indexOf(sought);
  if (at < 0) return 0;
  if (lower === sought) return 3;
  if (at === 0) return 2;
  return /[^\p{L}\p{N}]/u.test(lower[at - 1]) ? 1 : 0.5;
}

/**
 * The nodes and groups that fit, the best first, else in the order of the graph.
 * @param {Record<string, any>} doc the explorer's document
 * @param {string} query words, all of which must fit; `line 3` or `3` is a line
 * @param {string} lineWords how the user's language names a line: `line {line}`, `第 {line} 行`
 * @param {(id: number) => boolean} isDrawn whether it is drawn itself, and no other for it
 * @returns {{key: string, text: string, note: string}[]}
 */
export function searchNodes(doc, query, lineWords, isDrawn = () => true) {
  const [before, after] = lineWords.split("{line}").map((word) => word.trim());
  const place = new RegExp(`^(?:${[before, after, "line", "l", ":"].join("|")})?\\s*(\\d+)\\s*(?:${after})?$`, "i");
  const line = place.exec(query.trim())?.[1];
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  /** @type {[number, {key: string, text: string, note: string}][]} */
  const found = [];
  /** @param {string} key @param {any} one @param {string[]} texts @param {string} note */
  const look = (key, one, texts, note) => {
    const onLine = line !== undefined && one.line === Number(line);
    const rates = words.map((word) => Math.max(...texts.map((text) => rateText(text, word))));
    const whole = Math.max(...texts.map((text) => rateText(text, query.trim().toLowerCase())));
    const rate = onLine ? 4 : Math.min(...rates) && Math.max(whole, Math.min(...rates));
    if (rate > 0) found.push([rate, { key, text: texts[0] || texts[1], note }]);
  };
  for (const [id, group] of Object.entries(doc.groups)) {
    look(`g${id}`, group, [group.name, group.detail ?? ""], group.detail || group.kind);
  }
  for (const [id, node] of Object.entries(doc.nodes)) {
    if (!isDrawn(Number(id))) continue;
    look(id, node, [node.label, node.name ?? "", node.op ?? ""], node.op || node.kind);
  }
  return found.sort((one, other) => other[0] - one[0]).map(([, entry]) => entry);
}

/** The search box and what it found. */
export class SearchBox {
  /**
   * @param {Record<string, any>} doc
   * @param {Record<string, string>} words
   * @param {{go(key: string): void, mark(keys: string[]): void, leave(): void, isDrawn(id: number): boolean}} on
   *   go: to one that was chosen; mark: all that were found; leave: back to the graph
   * @param {AbortSignal} signal
   */
  constructor(doc, words, on, signal) {
    Object.assign(this, { doc, words, on });
    this.at = -1;
    /** @type {{key: string, text: string, note: string}[]} */
    this.found = [];
    const own = `gm-found-${Math.random().toString(36).slice(2, 8)}`;
    this.input = /** @type {HTMLInputElement} */ (make("input", {
      type: "search", class: "gm-seek", placeholder: words.search, "aria-label": words.search_long,
      role: "combobox", "aria-expanded": "false", "aria-controls": own, autocomplete: "off", spellcheck: "false",
    }));
    this.count = make("span", { class: "gm-s gm-count", role: "status" });
    this.list = make("ol", { class: "gm-found", id: own, role: "listbox", "aria-label": words.found_list });
    this.list.hidden = true;
    this.element = make("div", { class: "gm-search" }, this.input, this.count, this.list);
    this.input.addEventListener("input", () => this.search(), { signal });
    this.input.addEventListener("focus", () => this.#show(this.found.length > 0), { signal });
    this.input.addEventListener("blur", () => this.#show(false), { signal });
    // pressed, not clicked: the box would lose the focus first, and the list with it
    this.list.addEventListener("pointerdown", (event) => {
      const item = event.target instanceof Element && event.target.closest("li");
      if (!item) return;
      event.preventDefault();
      this.choose([...this.list.children].indexOf(item));
    }, { signal });
  }

  search() {
    const query = this.input.value;
    this.found = searchNodes(this.doc, query, this.words.line, this.on.isDrawn);
    this.at = -1;
    this.input.removeAttribute("aria-activedescendant"); // what it named goes
    this.list.replaceChildren(...this.found.slice(0, MOST_FOUND).map(({ text, note }, i) => make(
      "li", { role: "option", id: `${this.list.id}-${i}`, "aria-selected": "false" },
      make("code", {}, text), " ", make("span", { class: "gm-s" }, this.words[`kind_${note}`] ?? note),
    )));
    this.#show(this.found.length > 0);
    this.#sayCount();
    this.on.mark(this.found.map((entry) => entry.key));
  }

  #sayCount() {
    const { found, at, words } = this;
    const parts = { count: found.length, at: at + 1 };
    const text = !found.length ? words.none_found : at < 0 ? words.found : words.found_at;
    this.count.textContent = this.input.value.trim() ? fillText(text, parts) : "";
  }

  /** @param {boolean} shown */
  #show(shown) {
    this.list.hidden = !shown;
    this.input.setAttribute("aria-expanded", String(shown));
  }

  /** @param {number} at which of the found ones to go to */
  choose(at) {
    const entry = this.found[at];
    if (!entry) return;
    this.at = at;
    [...this.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
    this.list.children[at]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `${this.list.id}-${at}`);
    this.#sayCount();
    this.on.go(entry.key);
  }

  /** @param {number} by 1 the next one, -1 the one before; round the ends */
  move(by) {
    const count = this.found.length;
    if (count) this.choose(this.at < 0 && by < 0 ? count - 1 : (this.at + by + count) % count);
  }

  /** Goes to the next one, or the one before, and out of its way. @param {number} by */
  visit(by) {
    this.move(by);
    this.#show(false);
  }

  /** Empties the box, or leaves it where it is empty. */
  clear() {
    if (!this.input.value) return void this.on.leave();
    this.input.value = "";
    this.search();
  }
}

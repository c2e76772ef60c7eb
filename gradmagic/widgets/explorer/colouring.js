// Colouring the nodes by a number: one of nine classes each, and a legend.
import { make } from "../elements.js";

const BINS = 9;
const MARKS = ["vanishing", "exploding"];

export class Colouring {
  /**
   * @param {Record<string, any>} doc
   * @param {Record<string, string>} words
   * @param {() => void} onChange
   * @param {AbortSignal} signal
   */
  constructor(doc, words, onChange, signal) {
    this.doc = doc;
    this.key = "";
    this.select = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": words.colour_by }));
    this.select.append(make("option", { value: "" }, words.no_colour),
      ...doc.colours.map((/** @type {any} */ one) => make("option", { value: one.key }, one.title)));
    this.legend = make("div", { class: "gm-bins gm-s" });
    this.legend.hidden = true;
    this.explained = ""; // what the legend says
    this.element = make("label", { class: "gm-pick" }, make("span", {}, words.colour_by), this.select);
    this.element.hidden = doc.colours.length === 0;
    this.select.addEventListener("change", () => {
      this.key = this.select.value;
      onChange();
    }, { signal });
  }

  /**
   * @param {[string, Element][]} drawn what is drawn, by key
   */
  paint(drawn) {
    const chosen = this.doc.colours.find((/** @type {any} */ one) => one.key === this.key);
    for (const [key, element] of drawn) {
      const bin = chosen?.bins[key];
      for (let i = 0; i < BINS; i++) element.classList.toggle(`gm-bin-${i}`, i === bin);
      for (const mark of MARKS) element.classList.toggle(`gm-${mark}`, chosen?.marks?.[key] === mark);
    }
    this.legend.hidden = !chosen;
    if (chosen && this.explained !== chosen.legend) this.legend.innerHTML = this.explained = chosen.legend;
  }
}

// Softmax of three logits: a slider each, the probabilities, and the Jacobian as tinted cells.
import { make, put } from "../elements.js";
import { formatEntry, formatPlace } from "../sidebar/numbers.js";
import { SoftmaxTable, findTint } from "./numbers.js";

const MOST = 0.25; // p (1 - p) is never more

export class SoftmaxPanel {
  /**
   * @param {HTMLElement} root the panel
   * @param {import("./numbers.js").Lab} lab
   * @param {Float32Array} block
   * @param {(logits: number[]) => void} onMove
   * @param {AbortSignal} signal takes the listeners away
   */
  constructor(root, lab, block, onMove, signal) {
    this.softmax = /** @type {NonNullable<typeof lab.softmax>} */ (lab.softmax);
    this.words = lab.words;
    this.table = new SoftmaxTable(block, this.softmax.logits.length);
    this.positions = [...this.softmax.start];
    this.onMove = onMove;
    this.rows = [...root.querySelectorAll("[data-k='logits'] tr")].map((row, i) => {
      /** @type {Record<string, any>} */
      const cells = {};
      for (const cell of row.querySelectorAll("[data-c]")) cells[cell.getAttribute("data-c") ?? ""] = cell;
      const input = /** @type {HTMLInputElement} */ (make("input", {
        type: "range", min: "0", max: String(this.softmax.logits.length - 1), step: "1",
        value: String(this.positions[i]), "aria-label": `z${i}`,
      }));
      cells.slot.replaceChildren(input);
      input.addEventListener("input", () => {
        this.positions[i] = Number(input.value);
        this.draw();
      }, { signal });
      return { ...cells, input };
    });
    this.cells = [...root.querySelectorAll("[data-k='jacobian'] td")];
    this.draw();
  }

  draw() {
    const { probabilities, jacobian } = this.table.lookUp(this.positions);
    const logits = this.positions.map((at) => this.softmax.logits[at]);
    this.rows.forEach((/** @type {any} */ row, i) => {
      const written = formatEntry(probabilities[i]);
      put(row.z, formatPlace(logits[i]));
      put(row.p, written);
      row.bar.style.width = `${(100 * probabilities[i]).toFixed(1)}%`;
      const said = this.words.probability.replace("{i}", String(i)).replace("{p}", written);
      row.input.setAttribute("aria-valuetext", `${formatPlace(logits[i])}; ${said}`.replaceAll("\u2212", "-"));
    });
    this.cells.forEach((cell, i) => {
      const { kind, share } = findTint(jacobian[i], MOST);
      put(cell, formatEntry(jacobian[i]));
      cell.className = kind;
      /** @type {HTMLElement} */ (cell).style.setProperty("--t", String(share));
    });
    this.onMove(logits);
  }
}

// The code behind each part: copied by a button, and written anew as the sliders move.
import { makeCopyButton } from "../copying.js";
import { fillText, make, put } from "../elements.js";

/** @param {ArrayLike<number>} row float32, with as many digits as bring it back */
const writeRow = (row) => `[${Array.from(row, (value) => Number(value.toPrecision(9))).join(", ")}]`;

export class Code {
  /**
   * @param {HTMLElement} root the panel
   * @param {Record<string, string>} words
   * @param {() => void} onOpen
   * @param {AbortSignal} signal takes the listeners away
   */
  constructor(root, words, onOpen, signal) {
    /** @type {Record<string, HTMLElement>} */
    this.codes = {};
    for (const pre of root.querySelectorAll("pre")) {
      const code = make("code", {}, pre.textContent ?? "");
      this.codes[(pre.getAttribute("data-k") ?? "").replace("code-", "")] = code;
      pre.replaceChildren(code);
      const read = () => code.textContent ?? "";
      pre.before(makeCopyButton("gm-link gm-copy", code, read, words, signal));
      pre.closest("details")?.addEventListener("toggle", onOpen, { signal });
    }
  }

  /**
   * Takes the code of what does not move from another panel.
   * @param {HTMLElement} fresh
   */
  renew(fresh) {
    for (const key of ["batch", "sources"]) {
      const pre = fresh.querySelector(`[data-k='code-${key}']`);
      if (pre && this.codes[key]) put(this.codes[key], pre.textContent ?? "");
    }
  }

  /**
   * Writes the code of what moves, where it is open.
   * @param {Record<string, string>} templates
   * @param {import("./tables.js").Table} table
   * @param {number} slider
   * @param {number} position
   */
  write(templates, table, slider, position) {
    if (!["hand", "curve", "stability"].some((key) => this.#isOpen(key))) return;
    const { kind, number, at } = table.sliders[slider];
    const here = {
      logits: writeRow(table.findLogits(slider, position)),
      target: writeRow(table.findTarget(slider, position)),
      number: String(number ?? table.trueClass),
    };
    // Along a slider the row is the one that the other sliders make; confidence multiplies the row
    // at 1, smoothing smooths the target at 0.
    const confidence = table.shown.length;
    const direction = table.findLogits(confidence, table.findNearest(confidence, 1));
    const along = {
      ...here,
      logits: kind === "confidence" ? writeRow(direction) : writeRow(table.findLogits(slider, at)),
      target: writeRow(table.findTarget(slider, kind === "smoothing" ? 0 : at)),
    };
    this.#put("hand", templates.hand, here);
    this.#put("stability", templates.stability, here);
    this.#put("curve", templates[`curve_${kind === "class" ? "logit" : kind}`], along);
  }

  /** @param {string} key @param {string} template @param {Record<string, string>} parts */
  #put(key, template, parts) {
    if (this.#isOpen(key)) put(this.codes[key], fillText(template, parts));
  }

  /** @param {string} key */
  #isOpen(key) {
    return Boolean(this.codes[key]?.closest("details")?.open);
  }
}

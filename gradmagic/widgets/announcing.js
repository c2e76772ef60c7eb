// What a screen reader is told when something was moved: the last word, once the hand rests.
import { put } from "./elements.js";

const REST = 600; // ms

export class Announcer {
  /**
   * @param {HTMLElement} root
   * @param {AbortSignal} signal
   */
  constructor(root, signal) {
    this.place = document.createElement("p");
    this.place.className = "gm-unseen";
    this.place.setAttribute("role", "status");
    root.append(this.place);
    /** @type {string | null} */
    this.last = null; // nothing is said of what is there from the start
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** @param {string} text what holds now */
  say(text) {
    if (text === this.last) return;
    const first = this.last === null;
    this.last = text;
    if (first) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => put(this.place, text), REST);
  }
}

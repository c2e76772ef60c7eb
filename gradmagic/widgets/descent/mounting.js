// A descent that is over: its steps to scrub through, its code to copy.
import { copyPlainMinus, makeCopyButton } from "../copying.js";
import { watchScrolling } from "../scrolling.js";
import { Scrubber } from "./scrubbing.js";

/**
 * @param {HTMLElement} root the section
 * @param {any} data
 * @param {ArrayBuffer} block
 * @param {Record<string, string>} words
 * @param {AbortSignal} signal
 */
export function mountPanel(root, data, block, words, signal) {
  for (const listing of root.querySelectorAll(".gm-py")) {
    const read = () => [...listing.querySelectorAll("code")]
      .map((line) => `${(line.textContent ?? "").trimEnd()}\n`).join("");
    listing.after(makeCopyButton("gm-copy", listing, read, words, signal));
  }
  copyPlainMinus(root, signal);
  watchScrolling(root, words.scrolls, signal);
  return new Scrubber(root, data, block, words, signal);
}

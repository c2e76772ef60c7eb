// The one line of controls above the graph, and what `?` tells.
import { make } from "../elements.js";
import { makeIconButton } from "./icons.js";

/**
 * @param {Record<string, string>} words
 * @param {(act: string) => void} perform as for a key
 * @param {{search: HTMLElement, colour: HTMLElement, groups: boolean}} parts
 * @param {AbortSignal} signal
 */
export function makeToolbar(words, perform, parts, signal) {
  /** @param {string} name @param {string} label @param {string} act */
  const sign = (name, label, act) => makeIconButton(name, label, () => perform(act), signal);
  /** @param {string} text @param {string} act */
  const link = (text, act) => {
    const button = make("button", { type: "button", class: "gm-link" }, text);
    button.addEventListener("click", () => perform(act), { signal });
    return button;
  };
  const groups = make("span", { class: "gm-buttons" }, link(words.open_all, "open-all"), link(words.close_all, "close-all"));
  groups.hidden = !parts.groups;
  const window = sign("whole", words.whole_window, "window");
  window.setAttribute("aria-pressed", "false");
  const help = sign("?", words.help, "help");
  help.setAttribute("aria-expanded", "false");
  const element = make("div", { class: "gm-bar", role: "group", "aria-label": words.tools },
    parts.search, groups, parts.colour,
    make("span", { class: "gm-buttons gm-zooms" },
      sign("minus", words.smaller, "smaller"), sign("plus", words.larger, "larger"),
      sign("fit", words.fit, "fit"), sign("1:1", words.full_size, "full"), window, help));
  return { element, window, help };
}

/** @param {Record<string, string>} words */
export function makeHelp(words) {
  const pairs = [
    ["\u2191 \u2193 \u2190 \u2192", words.key_move], ["Enter", words.key_details], ["Space", words.key_toggle],
    ["n  p", words.key_steps], ["/", words.key_search], ["+ \u2212 0 1", words.key_zoom],
    ["Shift \u2191 \u2193 \u2190 \u2192", words.key_pan], ["o  c", words.key_all], ["[  ]", words.key_times],
    ["f", words.key_window], ["Esc", words.key_leave],
  ];
  const list = make("dl", {}, ...pairs.map(([key, text]) =>
    make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, text))));
  const element = make("div", { class: "gm-help gm-s" }, make("p", {}, words.help_mouse), list, make("p", {}, words.notation));
  element.hidden = true;
  return element;
}

// The signs on the explorer's buttons.

const SIGNS = {
  first: "M4 3v10M12 3.5v9L5.5 8z",
  previous: "M11 3.5v9L4.5 8z",
  next: "M5 3.5v9L11.5 8z",
  last: "M12 3v10M4 3.5v9L10.5 8z",
  play: "M4.5 3v10L12.5 8z",
  pause: "M5.5 3v10M10.5 3v10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  whole: "M9.5 3H13v3.5M6.5 13H3V9.5M13 3L9 7M3 13l4-4",
  close: "M4 4l8 8M12 4l-8 8",
};

/**
 * A button with a sign, or with text where there is no sign of that name.
 * @param {string} name
 * @param {string} label what it does, in the user's language
 * @param {() => void} act
 * @param {AbortSignal} signal
 */
export function makeIconButton(name, label, act, signal) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "gm-icon";
  button.title = label;
  button.setAttribute("aria-label", label);
  setIcon(button, name);
  button.addEventListener("click", act, { signal });
  return button;
}

/** @param {HTMLElement} button @param {string} name */
export function setIcon(button, name) {
  const path = /** @type {Record<string, string>} */ (SIGNS)[name];
  if (path) {
    button.innerHTML = `<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
  } else button.textContent = name;
}

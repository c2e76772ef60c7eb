// Small pieces of the page, and sentences with places in them.

export const TOO_SHORT = 0.003; // share of a track below which a bar is not drawn

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {(string | Node)[]} children
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/**
 * Writes a text where it is another one: the page is not touched otherwise.
 * @param {Node | null | undefined} element
 * @param {string} text
 */
export function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/**
 * A sentence with places, as text and elements.
 * @param {string} template
 * @param {Record<string, string | Node>} parts
 * @returns {(string | Node)[]}
 */
export function fillTemplate(template, parts) {
  return template.split(/(\{\w+\})/).map((piece) => {
    const name = /^\{(\w+)\}$/.exec(piece)?.[1];
    return name && name in parts ? parts[name] : piece;
  });
}

/**
 * A sentence with places, as text.
 * @param {string} template
 * @param {Record<string, string | number>} parts
 */
export function fillText(template, parts) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => String(parts[name] ?? whole));
}

/**
 * A bar from the left.
 * @param {HTMLElement} bar
 * @param {number} share of its track
 */
export function setBar(bar, share) {
  bar.style.width = `${share >= TOO_SHORT ? 100 * Math.min(share, 1) : 0}%`;
}

/**
 * A bar from the middle, to the left for what is below 0.
 * @param {HTMLElement} bar
 * @param {number} value between -1 and 1
 */
export function setSlope(bar, value) {
  const size = Math.abs(value);
  bar.style.width = `${size >= TOO_SHORT ? 50 * Math.min(size, 1) : 0}%`;
  bar.style.left = value < 0 ? "auto" : "50%";
  bar.style.right = value < 0 ? "50%" : "auto";
}

/**
 * Whether there is something, though too short a bar to draw.
 * @param {number} share of its track
 */
export const isTooShort = (share) => share > 0 && share < TOO_SHORT;

// Small pieces of the page, and sentences with places in them.

/**
 * An element with its children; null is none.
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {(string | Node | null)[]} children
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
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

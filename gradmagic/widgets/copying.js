// Copying: code by a button, and tables with numbers that Python reads.

/**
 * Text as Python reads it: a hyphen for the true minus.
 * @param {string} text
 */
export function plainMinus(text) {
  return text.replaceAll("\u2212", "-");
}

/**
 * A button that copies text; where that is not allowed, it selects what to copy.
 * @param {string} className
 * @param {Element} shown what holds the text on the page
 * @param {() => string} read the text
 * @param {Record<string, string>} words in the user's language
 * @param {AbortSignal} signal takes the listener away
 */
export function makeCopyButton(className, shown, read, words, signal) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = className;
  button.textContent = words.copy;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(read());
      button.textContent = words.copied;
    } catch {
      getSelection()?.selectAllChildren(shown); // no permission: selected, ready for Ctrl+C
      button.textContent = words.selected;
    }
  }, { signal });
  return button;
}

/**
 * What is copied from an element has plain hyphens.
 * @param {HTMLElement} element
 * @param {AbortSignal} signal takes the listener away
 */
export function copyPlainMinus(element, signal) {
  element.addEventListener("copy", (event) => {
    const text = String(getSelection());
    if (!event.clipboardData || !text.includes("\u2212")) return;
    event.clipboardData.setData("text/plain", plainMinus(text));
    event.preventDefault();
  }, { signal });
}

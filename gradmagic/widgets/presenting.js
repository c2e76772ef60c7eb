// Large for a projector, grey for print: two classes above a panel, and the switch for them.

/** The traits and the classes that they stand for. */
const PRESENTATIONS = [["large", "gm-large"], ["grey", "gm-grey"]];

/**
 * How much larger than its own px an element is shown.
 * @param {HTMLElement} element
 * @returns {number} 1 where it is not shown
 */
export function measureZoom(element) {
  const { width } = element.getBoundingClientRect();
  return element.offsetWidth && width ? width / element.offsetWidth : 1;
}

/**
 * Where a pointer is in an element, in the element's own px.
 * @param {{clientX: number, clientY: number}} event
 * @param {HTMLElement} element
 * @returns {{x: number, y: number}}
 */
export function locatePointer(event, element) {
  const { left, top } = element.getBoundingClientRect();
  const zoom = measureZoom(element);
  return { x: (event.clientX - left) / zoom, y: (event.clientY - top) / zoom };
}

/**
 * Shows a panel as the widget says, and lets the user change that: for all views of the widget.
 * @param {HTMLElement} place around the panel; it keeps the classes
 * @param {Element | null} root the panel, which gets the switch
 * @param {any} model
 * @param {AbortSignal} signal
 */
export function addPresenting(place, root, model, signal) {
  root?.querySelector(":scope > .gm-present")?.remove();
  root?.insertAdjacentHTML("afterbegin", model.get("switch"));
  const bar = root?.querySelector(":scope > .gm-present");
  const draw = () => {
    for (const [trait, name] of PRESENTATIONS) {
      const on = Boolean(model.get(trait));
      place.classList.toggle(name, on);
      bar?.querySelector(`[data-present="${name}"]`)?.setAttribute("aria-pressed", String(on));
    }
  };
  bar?.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-present]") : null;
    const trait = PRESENTATIONS.find(([, name]) => name === button?.getAttribute("data-present"))?.[0];
    if (!trait) return;
    model.set(trait, !model.get(trait));
    model.save_changes();
  }, { signal });
  for (const [trait] of PRESENTATIONS) {
    model.on(`change:${trait}`, draw);
    signal.addEventListener("abort", () => model.off(`change:${trait}`, draw));
  }
  draw();
}

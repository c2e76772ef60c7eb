// What the pointer does on the graph, and which of its nodes has the keyboard.

/** The key of what an element of the picture stands for; null for a port. @param {Element | null} element */
export function readKey(element) {
  if (!element) return null;
  const group = element.getAttribute("data-group") ?? element.getAttribute("data-frame");
  if (group !== null) return `g${group}`;
  const node = element.getAttribute("data-node");
  return node === null || Number(node) < 0 ? null : node;
}

/**
 * @param {import("./explorer.js").Explorer} explorer
 * @param {AbortSignal} signal
 */
export function listenToPointer(explorer, signal) {
  const { stage } = explorer;
  const canvas = stage.element;
  /** @param {Event} event */
  const find = (event) => {
    const target = event.target instanceof Element ? event.target : null;
    return target?.closest("[data-act]") ? null : readKey(target?.closest("[data-node]") ?? null);
  };
  canvas.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (stage.dragged || target.closest("[data-act]")) return;
    const key = find(event) ?? readKey(target.closest(".gm-frame > text, .gm-frame > .gm-title")?.parentElement ?? null);
    if (key) explorer.telling.select(key);
    else explorer.deselect();
  }, { signal });
  canvas.addEventListener("dblclick", (event) => {
    const key = find(event);
    if (key?.startsWith("g")) explorer.picture.open(Number(key.slice(1)));
  }, { signal });
  let seen = "";
  canvas.addEventListener("pointerover", (event) => {
    const at = `${event.screenX} ${event.screenY}`;
    const still = at === seen; // the picture has moved, and not the pointer
    seen = at;
    if (event.pointerType === "mouse" && !event.buttons && !still) explorer.hover(find(event));
  }, { signal });
  canvas.addEventListener("pointermove", (event) => {
    seen = `${event.screenX} ${event.screenY}`;
  }, { signal });
  canvas.addEventListener("pointerleave", () => explorer.hover(null), { signal });
  canvas.addEventListener("focusin", (event) => {
    const key = find(event);
    if (!key) return;
    explorer.setRover(key);
    if (!(/** @type {Element} */ (event.target)).matches(":focus-visible")) return;
    explorer.stage.reveal(explorer.picture.placeOf(explorer.lighting.elements.get(key)));
    if (key !== explorer.stepper.stop?.key) explorer.hover(key); // of a step the moment is shown
  }, { signal });
  canvas.addEventListener("focusout", () => explorer.hover(null), { signal });
  for (const name of ["focusin", "pointerdown"]) {
    document.addEventListener(name, (event) => {
      explorer.held = canvas.contains(/** @type {Node} */ (event.target));
    }, { capture: true, signal });
  }
}

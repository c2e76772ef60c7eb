// Where the panel of a cell's output stands: at the side, if the page has one, else under the cell.

const DOCK = "gm-docked";
const SIDE_WIDTH = 420;
const SIDE_LEAST = 320;
const SIDE_LARGE = 544; // of a panel that is shown large
const SIDE_LARGE_LEAST = 480;
const SIDE_PATIENCE = 8000; // ms
let widening = false; // a side panel was asked for, and is not there yet

/** @param {string} text @param {string} button @param {() => void} act */
function makeNote(text, button, act) {
  const note = document.createElement("div");
  note.className = "gm-losses-note";
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = button;
  made.addEventListener("click", act);
  note.append(text, made);
  return note;
}

/** Whether this page is JupyterLab, which has side panels. */
const hasSidePanels = () => document.querySelector(".jp-LabShell") !== null;

/** JupyterLab's right side is opened at its least width: no less than the panel can be read in. */
function setLeastWidth() {
  if (document.getElementById("gm-side-width")) return;
  const style = document.createElement("style");
  style.id = "gm-side-width";
  style.textContent =
    `#jp-right-stack > .jupyterlab-sidecar.lm-Widget { min-width: ${SIDE_LEAST}px; }`
    + `#jp-right-stack > .jupyterlab-sidecar.lm-Widget:has(.gm-large) { min-width: ${SIDE_LARGE_LEAST}px; }`;
  document.head.append(style);
}

/**
 * Gives the right side its good width, by drawing its edge as the student's hand would: JupyterLab
 * has no other way for a widget to ask for it.
 * @param {number} wanted px
 */
function widenSide(wanted) {
  const side = document.querySelector("#jp-right-stack")?.getBoundingClientRect();
  const edge = [...document.querySelectorAll("#jp-main-split-panel > .lm-SplitPanel-handle")].find(
    (handle) => side && Math.abs(handle.getBoundingClientRect().right - side.left) < 4,
  );
  if (!side || !edge || side.width >= wanted || window.innerWidth < 3 * SIDE_WIDTH) return;
  const { left, top } = edge.getBoundingClientRect();
  /** @param {Element | Document} target @param {string} name @param {number} x */
  const act = (target, name, x) => target.dispatchEvent(new PointerEvent(name, {
    bubbles: true, cancelable: true, button: 0, buttons: 1, clientX: x, clientY: top + 10,
  }));
  const to = left - (wanted - side.width);
  act(edge, "pointerdown", left);
  act(document, "pointermove", to);
  act(document, "pointerup", to);
}

/**
 * Calls back once an element is on the page; a view is rendered before it is.
 * @param {HTMLElement} el
 * @param {() => void} act
 * @returns {() => void} stops waiting
 */
function whenOnPage(el, act) {
  if (el.isConnected) {
    act();
    return () => {};
  }
  let timer = setTimeout(function look() {
    if (el.isConnected) act();
    else timer = setTimeout(look, 20);
  }, 0);
  return () => clearTimeout(timer);
}

/** The part of Notebook 7's page beside which a panel can dock; null elsewhere, or without room. */
function findDockable() {
  const main = document.querySelector("body[data-notebook] #main");
  return main instanceof HTMLElement && window.innerWidth >= 1000 ? main : null;
}

/**
 * Makes room at the right of Notebook 7's page, and puts an empty dock there.
 * @param {HTMLElement} main
 */
function openDock(main) {
  closeDock();
  const dock = document.createElement("div");
  dock.className = DOCK;
  document.body.append(dock);
  fitBeside(main, dock);
  return dock;
}

/** Leaves the dock its width. @param {HTMLElement} main @param {HTMLElement} dock */
function fitBeside(main, dock) {
  main.style.width = `calc(100% - ${dock.offsetWidth}px)`;
  main.style.minWidth = "0";
  window.dispatchEvent(new Event("resize")); // Lumino lays its panels out anew
}

/** Takes the dock away, and tells whose it was. */
function closeDock() {
  const dock = document.querySelector(`.${DOCK}`);
  if (!dock) return;
  dock.dispatchEvent(new Event("gm-closed"));
  dock.remove();
  const main = /** @type {HTMLElement | null} */ (document.querySelector("#main"));
  main?.style.removeProperty("width");
  main?.style.removeProperty("min-width");
  window.dispatchEvent(new Event("resize"));
}

/**
 * Finds the place for a view's panel, and calls `mount` with it, or with null where it is shown by
 * another view; again whenever the student moves it.
 * @param {any} model
 * @param {HTMLElement} el the view's own element
 * @param {(target: HTMLElement | null) => void} mount
 * @returns {() => void} leaves the place
 */
export function findPlace(model, el, mount) {
  let leave = () => {};
  const stop = whenOnPage(el, () => {
    leave = choosePlace(model, el, mount);
  });
  return () => {
    stop();
    leave();
  };
}

/** The same for an element that is on the page. */
function choosePlace(model, el, mount) {
  const words = model.get("words");
  const under = document.createElement("div");
  const showHere = () => {
    el.replaceChildren(under);
    mount(under);
  };
  if (el.closest(".jupyterlab-sidecar")) {
    el.classList.add("gm-side");
    el.dataset.owner = model.get("owner");
    showHere();
    const widen = () => widenSide(model.get("large") ? SIDE_LARGE : SIDE_WIDTH);
    if (widening) requestAnimationFrame(widen);
    widening = false;
    model.on("change:large", widen);
    return () => model.off("change:large", widen);
  }
  if (model.get("place") === "cell") {
    showHere();
    return () => {};
  }
  if (hasSidePanels()) {
    const own = `.gm-side[data-owner="${CSS.escape(model.get("owner"))}"]`;
    const anew = document.querySelector(own) === null;
    widening = anew;
    setLeastWidth();
    model.send({ kind: "open", anew });
    el.replaceChildren(makeNote(words.at_side, words.show_here, showHere));
    // where this JupyterLab lacks the extension for side panels, none comes
    const patience = setTimeout(() => {
      if (document.querySelector(own) === null) showHere();
    }, SIDE_PATIENCE);
    return () => clearTimeout(patience);
  }
  const main = findDockable();
  if (main) return dockBeside(main, model, el, mount, showHere);
  showHere();
  return () => {};
}

/** A dock beside Notebook 7's page, from which the student can take the panel back. */
function dockBeside(main, model, el, mount, showHere) {
  const words = model.get("words");
  /** @type {HTMLElement | null} */
  let dock = null;
  const takeBack = () => {
    dock?.removeEventListener("gm-closed", lose);
    dock = null;
    closeDock();
    showHere();
  };
  const lose = () => {
    dock = null;
    mount(null);
    el.replaceChildren(makeNote(words.not_at_side, words.dock, enter));
  };
  const enter = () => {
    dock = openDock(main);
    dock.addEventListener("gm-closed", lose);
    const target = document.createElement("div");
    dock.append(target);
    el.replaceChildren(makeNote(words.at_side, words.undock, takeBack));
    mount(target);
    fit(); // it may be shown large
  };
  const fit = () => setTimeout(() => dock && fitBeside(main, dock)); // once the panel has changed
  model.on("change:large", fit);
  enter();
  return () => {
    model.off("change:large", fit);
    dock?.removeEventListener("gm-closed", lose);
    if (dock) closeDock();
  };
}

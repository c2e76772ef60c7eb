// What keys and the buttons above the graph do.
import { findNext } from "./paths.js";

const PAN = 60; // px that a key moves the picture
const AT_ONCE = 40; // groups that are all opened at once; of more, those that are seen

/**
 * @param {import("./explorer.js").Explorer} explorer
 * @returns {Record<string, (focused: Element | null) => boolean | void>} false: it did nothing
 */
export function listActs(explorer) {
  const { stage, search, stepper, picture } = explorer;
  const listClosed = () => {
    const all = Object.keys(explorer.doc.groups);
    if (all.length <= AT_ONCE) return all.map(Number);
    return explorer.lighting.drawn.filter(([key]) => key.startsWith("g")).map(([key]) => Number(key.slice(1)));
  };
  /** @param {string} arrow */
  const move = (arrow) => () => {
    const key = findNeighbour(explorer, arrow);
    if (key) explorer.focusNode(key);
  };
  /** @param {number} by */
  const turn = (by) => () => {
    for (let group = innermost(explorer); group !== null; group = explorer.doc.groups[group].parent) {
      const count = explorer.doc.groups[group].iterations;
      if (!count || !picture.isOpen(group)) continue;
      picture.setIteration(group, Math.max(0, Math.min(count - 1, picture.iteration(group) + by)));
      return;
    }
  };
  return {
    up: move("ArrowUp"), down: move("ArrowDown"), left: move("ArrowLeft"), right: move("ArrowRight"),
    "first-node": () => explorer.focusNode(explorer.lighting.drawn[0]?.[0]),
    "last-node": () => explorer.focusNode(explorer.lighting.show(explorer.doc.target)),
    details: () => {
      explorer.telling.select(explorer.rover);
      explorer.info.body.focus({ preventScroll: true });
      explorer.info.element.scrollIntoView({ block: "nearest" });
    },
    toggle: () => toggleGroup(explorer),
    "pan-up": () => stage.pan(0, PAN), "pan-down": () => stage.pan(0, -PAN),
    "pan-left": () => stage.pan(PAN, 0), "pan-right": () => stage.pan(-PAN, 0),
    larger: () => stage.zoom(1), smaller: () => stage.zoom(-1), fit: () => stage.fit(), full: () => stage.zoomFull(),
    search: () => search.input.focus(), "next-found": () => search.move(1), "previous-found": () => search.move(-1),
    "visit-next": () => search.visit(1), "visit-previous": () => search.visit(-1),
    "clear-search": () => search.clear(),
    "next-step": () => stepper.move(1), "previous-step": () => stepper.move(-1),
    "previous-time": turn(-1), "next-time": turn(1),
    "open-all": () => void picture.openAll(listClosed()), "close-all": () => picture.closeAll(),
    window: () => fillWindow(explorer, !stage.whole),
    help: () => {
      explorer.help.hidden = !explorer.help.hidden;
      explorer.tools.help.setAttribute("aria-expanded", String(!explorer.help.hidden));
    },
    leave: (focused) => leave(explorer, focused),
  };
}

/** The innermost open group around the node that has the keyboard. @param {import("./explorer.js").Explorer} explorer */
function innermost({ rover, doc }) {
  return (rover.startsWith("g") ? doc.groups[rover.slice(1)]?.parent : doc.nodes[rover]?.group) ?? null;
}

/**
 * Where an arrow key goes from a node: up and down along the edges, left and right among what is drawn.
 * @param {import("./explorer.js").Explorer} explorer
 * @param {string} arrow
 */
function findNeighbour({ lighting, picture, rover }, arrow) {
  const own = lighting.elements.get(rover);
  if (!own) return lighting.drawn[0]?.[0] ?? null;
  /** @param {string} key */
  const locate = (key) => {
    const { x, y, width, height } = picture.placeOf(lighting.elements.get(key));
    return { key, x: x + width / 2, y: y + height / 2 };
  };
  const along = /** @type {Record<string, Map<string, string[]>>} */ (
    { ArrowUp: lighting.links.up, ArrowDown: lighting.links.down })[arrow];
  const keys = along ? along.get(rover) ?? [] : [...lighting.elements.keys()].filter((key) => key !== rover);
  const places = keys.filter((key) => lighting.elements.has(key)).map(locate);
  return findNext(locate(rover), places, arrow);
}

/** @param {import("./explorer.js").Explorer} explorer */
function toggleGroup(explorer) {
  const { rover, picture } = explorer;
  const group = rover.startsWith("g") ? Number(rover.slice(1)) : innermost(explorer);
  if (group === null) return;
  if (rover.startsWith("g")) picture.open(group);
  else picture.close(group);
}

/**
 * Esc, one thing at a time: out of the panel, out of the whole window, the selection away, out of the steps.
 * @param {import("./explorer.js").Explorer} explorer
 * @param {Element | null} focused
 */
function leave(explorer, focused) {
  const { info, stepper, stage, help } = explorer;
  if (!help.hidden) explorer.perform("help");
  else if (focused && info.element.contains(focused) && info.open) {
    explorer.deselect();
    if (stepper.stop) info.setOpen(false);
    explorer.focusNode(explorer.rover);
  } else if (stage.whole) fillWindow(explorer, false);
  else if (explorer.telling.selected !== null || explorer.picked.size) explorer.deselect();
  else if (stepper.stop) stepper.leave();
  else return false;
  return true;
}

/**
 * The explorer fills the window, as a popover: whatever contains or clips it, the top layer does not.
 * @param {import("./explorer.js").Explorer} explorer
 * @param {boolean} whole
 */
function fillWindow({ element, stage, tools, words }, whole) {
  if (!("popover" in HTMLElement.prototype)) return;
  stage.whole = whole;
  element.classList.toggle("gm-whole", whole);
  tools.window.setAttribute("aria-pressed", String(whole));
  tools.window.title = whole ? words.leave_window : words.whole_window;
  if (whole) {
    element.setAttribute("popover", "manual");
    element.showPopover();
  } else element.removeAttribute("popover");
  stage.open();
}

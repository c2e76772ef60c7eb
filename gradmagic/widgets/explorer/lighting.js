// Which nodes and lines are lit and which are dimmed: paths through a node, what was picked, a step.
import { findPaths, liftEdges, linkEdges } from "./paths.js";
import { numberNodes, spanGroups } from "./schedule.js";

/**
 * Whether something lies in a group.
 * @param {Record<string, any>} doc
 * @param {string} key of a node or a group
 * @param {number} group
 */
export function isInside(doc, key, group) {
  const own = key.startsWith("g");
  let at = own ? Number(key.slice(1)) : doc.nodes[key]?.group ?? null;
  for (; at !== null && at !== undefined; at = doc.groups[at]?.parent) if (at === group) return true;
  return false;
}

/** Tells a gradient's cells, at the right of the lines, from a value's. @param {Element} label */
function markSent(label) {
  const middle = Number((label.getAttribute("data-at") ?? "").split(" ")[0]);
  for (const strip of label.querySelectorAll(".gm-strip")) {
    const left = Number(/\(([-\d.]+)/.exec(strip.getAttribute("transform") ?? "")?.[1]);
    strip.classList.toggle("gm-sent", left > middle);
  }
}

export class Lighting {
  /**
   * @param {any} picture
   * @param {Record<string, any>} doc
   * @param {import("./schedule.js").Step[]} steps
   * @param {import("./repeats.js").Repeats} repeats
   */
  constructor(picture, doc, steps, repeats) {
    Object.assign(this, { picture, doc, repeats });
    /** @type {number | null} number of the node that stands for group 0 */
    this.base = null;
    const { computed, passed } = numberNodes(steps);
    this.numbers = {
      computed, passed, groups: { computed: spanGroups(computed, doc), passed: spanGroups(passed, doc) },
    };
    this.refresh();
  }

  /** The key of what stands for a node now. @param {number} id */
  show(id) {
    const shown = this.repeats.findShown(id, (group) => this.picture.iteration(group));
    const group = this.picture.holder(shown);
    return group === null || group === undefined ? String(shown) : `g${group}`;
  }

  /** Takes in what is drawn now; after each redraw. */
  refresh() {
    const { picture, doc } = this;
    /** @type {[string, Element][]} */
    this.drawn = [];
    for (const { id, group, element } of picture.visibleNodes()) {
      if (group !== null) this.base = id - group;
      this.drawn.push([group === null ? String(id) : `g${group}`, element]);
    }
    this.elements = new Map(this.drawn);
    this.edges = liftEdges(doc.edges, (id) => this.show(id));
    this.links = linkEdges(this.edges);
    /** @type {Map<string, [string, string, boolean][]>} */
    const leaving = new Map();
    /** @type {Map<string, [string, string, boolean][]>} */
    const entering = new Map();
    for (const edge of this.edges) {
      (leaving.get(edge[0]) ?? leaving.set(edge[0], []).get(edge[0])).push(edge);
      (entering.get(edge[1]) ?? entering.set(edge[1], []).get(edge[1])).push(edge);
    }
    /** @type {{element: Element, carried: [string, string, boolean][]}[]} */
    this.lines = picture.lines().map((/** @type {any} */ line) => {
      const from = this.#nameEnd(line.from);
      const to = this.#nameEnd(line.to);
      const some = leaving.get(from) ?? entering.get(to) ?? this.edges;
      const carried = some.filter(([producer, consumer]) =>
        this.#covers(line.from, producer, line.level) && this.#covers(line.to, consumer, line.level));
      return { element: line.element, carried };
    });
    /** @type {{element: Element, carried: [string, string, boolean][]}[]} where a group's border is crossed */
    this.ports = [...picture.element.querySelectorAll('[data-node^="-"]')].map((element) => ({
      element, carried: this.#findAtPort(element),
    }));
    /** @type {{element: Element, carried: [string, string, boolean][]}[]} */
    this.labels = [...picture.element.querySelectorAll(".gm-label")].map((element) => {
      markSent(element);
      return { element, carried: this.#findLabelled(element) };
    });
  }

  /** The key of a line's end; of a port, a key that nothing has. @param {number} number */
  #nameEnd(number) {
    if (number < 0) return `port ${number}`;
    return number in this.doc.nodes || this.base === null ? String(number) : `g${number - this.base}`;
  }

  /** Whether a line's end stands for something. */
  #covers(/** @type {number} */ end, /** @type {string} */ key, /** @type {number | null} */ level) {
    if (end < 0) return level === null || !isInside(this.doc, key, Number(level));
    const name = this.#nameEnd(end);
    return name === key || (name.startsWith("g") && isInside(this.doc, key, Number(name.slice(1))));
  }

  /** What the lines carry that begin or end at a port. @param {Element} port */
  #findAtPort(port) {
    const number = port.getAttribute("data-node");
    const home = port.closest(".gm-level");
    return this.lines.filter(({ element }) => home === element.closest(".gm-level")
      && [element.getAttribute("data-from"), element.getAttribute("data-to")].includes(number),
    ).flatMap(({ carried }) => carried);
  }

  /** What the lines carry beside which a label stands. @param {Element} label */
  #findLabelled(label) {
    const flow = label.getAttribute("data-flow");
    const home = label.closest(".gm-level");
    return this.lines.filter(({ element }) =>
      element.getAttribute("data-flow") === flow && home === element.closest(".gm-level"),
    ).flatMap(({ carried }) => carried);
  }

  /**
   * Lights the paths through a node up to the sources and down to the target; the others are dimmed.
   * @param {string | null} key
   */
  lightPaths(key) {
    const found = key === null || !this.elements.has(key) ? null : findPaths(this.links, key,
      Object.values(this.doc.sources).map((id) => this.show(id)), this.show(this.doc.target));
    this.picture.element.classList.toggle("gm-tracing", found !== null);
    if (!found) return;
    const { above, below } = found;
    for (const [other, element] of this.drawn) {
      element.classList.toggle("gm-on", above.has(other) || below.has(other));
    }
    /** @param {[string, string, boolean][]} carried */
    const isOn = (carried) => carried.some(([from, to]) =>
      (above.has(from) && above.has(to)) || (below.has(from) && below.has(to)));
    for (const { element, carried } of [...this.lines, ...this.labels, ...this.ports]) {
      element.classList.toggle("gm-on", isOn(carried));
    }
  }

  /** Marks the one whose details are shown. @param {string | null} chosen */
  choose(chosen) {
    for (const [key, element] of this.drawn) element.classList.toggle("gm-chosen", key === chosen);
  }

  /** Marks nodes: those that a search or a line of code names. @param {Set<string>} keys */
  mark(keys) {
    for (const [key, element] of this.drawn) element.classList.toggle("gm-picked", keys.has(key));
  }

  /** @param {string} key @param {"computed" | "passed"} what */
  #numberOf(key, what) {
    if (!key.startsWith("g")) return this.numbers[what].get(Number(key));
    // a group is begun with its first op, and has passed a gradient on with its last
    return this.numbers.groups[what].get(Number(key.slice(1)))?.[what === "computed" ? 0 : 1];
  }

  /**
   * Shows a moment of the run: what is not known yet is dimmed, what moves now is lit.
   * @param {import("./schedule.js").Stop | null} stop
   */
  lightStep(stop) {
    const root = this.picture.element;
    root.classList.toggle("gm-stepping", stop !== null);
    const last = stop?.last ?? Infinity;
    const back = stop?.pass === "backward";
    /** @param {string} key */
    const isLater = (key) => (this.#numberOf(key, "computed") ?? 0) > last;
    /** @param {[string, string, boolean][]} carried */
    const isBack = (carried) => carried.some(([, to, gradient]) =>
      gradient && (this.#numberOf(to, "passed") ?? Infinity) <= last);
    for (const [key, element] of this.drawn) {
      element.classList.toggle("gm-later", stop !== null && isLater(key));
      element.classList.toggle("gm-now", key === stop?.key);
      element.classList.toggle("gm-back", key === stop?.key && back);
    }
    for (const { element, carried } of [...this.lines, ...this.labels, ...this.ports]) {
      element.classList.toggle("gm-later", stop !== null && carried.length > 0 && carried.every(([from]) => isLater(from)));
      element.classList.toggle("gm-unsent", stop !== null && !isBack(carried));
    }
    /** @type {Element[]} */
    const moving = [];
    for (const { element, carried } of this.lines) {
      const now = stop !== null && carried.some(([, to, gradient]) => to === stop.key && (gradient || !back));
      const arrived = back && carried.some(([from, , gradient]) => from === stop?.key && gradient);
      element.classList.toggle("gm-carry", now && !back);
      element.classList.toggle("gm-carry-back", now && back);
      element.classList.toggle("gm-arrived", arrived);
      if (now) moving.push(element);
    }
    return moving;
  }
}

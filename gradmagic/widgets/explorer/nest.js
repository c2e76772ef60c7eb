// Which groups of a picture are open, at which time each repeat is, and where all that is drawn is found.
import { LevelView } from "./drawing.js";

/** The open groups of a picture, and the views of their insides. */
export class Nest {
  /** @param {Record<string, any>} doc */
  constructor(doc) {
    this.doc = doc;
    /** @type {Map<number | null, LevelView>} by group; null: the outermost */
    this.views = new Map();
    /** @type {Set<number>} those whose surroundings are closed too */
    this.open = new Set();
    /** @type {Map<number, number>} by repeat */
    this.iterations = new Map();
  }

  /** @param {number | string} group */
  isOpen(group) {
    return this.open.has(Number(group)) && this.isShown(Number(group));
  }

  opened() {
    return [...this.open].filter((group) => this.isShown(group))
      .sort((a, b) => this.listParents(a).length - this.listParents(b).length || a - b);
  }

  /** @param {number | string} group */
  iteration(group) {
    return this.iterations.get(Number(group)) ?? 0;
  }

  visibleNodes() {
    /** @type {{ id: number, group: number | null, element: SVGGElement }[]} */
    const found = [];
    /** @param {LevelView} view */
    const collect = (view) => {
      for (const { id, group } of view.level.nodes) {
        const inner = group !== null && this.open.has(group) ? this.views.get(group) : undefined;
        if (inner) collect(inner);
        else if (id >= 0) {
          found.push({ id, group, element: /** @type {SVGGElement} */ (view.nodes.get(id)) });
        }
      }
    };
    collect(this.outermost);
    return found;
  }

  /** @param {number | string} id of a leaf node */
  holder(id) {
    const groups = this.listGroups(Number(id));
    return groups.find((group) => !this.open.has(group)) ?? null;
  }

  /** @param {number | string} id of a leaf node */
  findNode(id) {
    const groups = this.listGroups(Number(id));
    const closed = groups.find((group) => !this.open.has(group));
    if (closed !== undefined) return this.findClosed(closed);
    const level = groups[groups.length - 1] ?? null;
    if (groups.some((group) => !this.isShown(group))) return null; // in another iteration
    return this.views.get(level)?.nodes.get(Number(id)) ?? null;
  }

  /** @param {number | string} group */
  findGroup(group) {
    const chain = [...this.listParents(Number(group)), Number(group)];
    const closed = chain.find((outer) => !this.open.has(outer));
    if (closed !== undefined) return this.findClosed(closed);
    return this.viewAround(Number(group))?.frames.get(Number(group)) ?? null;
  }

  /**
   * @param {Element | null} element of a node or a frame
   * @returns {import("./geometry.js").Size & { x: number, y: number } | null}
   */
  placeOf(element) {
    const level = element?.closest("[data-level]");
    const view = [...this.views.values()].find((one) => one.element === level);
    if (!element || !view) return null;
    const id = Number(element.getAttribute("data-frame-node") ?? element.getAttribute("data-node"));
    const box = view.arranged.boxes.get(id);
    if (!box) return null;
    const origin = this.findOrigin(view);
    return {
      x: origin.x + box.left, y: origin.y + box.top, width: box.right - box.left, height: box.height,
    };
  }

  lines() {
    return [...this.listShown()].flatMap((view) => view.edges.map(({ element, wire }) => (
      { element, from: wire.from, to: wire.to, level: view.group }
    )));
  }

  get outermost() {
    return /** @type {LevelView} */ (this.views.get(null));
  }

  /** The number of the node that stands for group 0. */
  get base() {
    for (const view of this.views.values()) {
      const node = view.level.nodes.find(({ group }) => group !== null);
      if (node) return node.id - /** @type {number} */ (node.group);
    }
    return NaN;
  }

  /** The view of a level that is in the document. @param {number} group */
  see(group) {
    let view = this.views.get(group);
    if (!view && this.doc.levels[group]) {
      const at = this.iteration(group);
      const turn = at ? this.findTurn(group, at) : undefined;
      const drawing = turn?.level ?? this.findTurn(group, turn?.like ?? 0)?.level ?? this.doc.levels[group];
      view = new LevelView(group, drawing.svg, turn);
      this.views.set(group, view);
    }
    return view;
  }

  /** The groups that a node lies in, from the outside. @param {number} id */
  listGroups(id) {
    const group = this.doc.nodes[id]?.group;
    return group === null || group === undefined ? [] : [...this.listParents(group), Number(group)];
  }

  /** The groups around one, from the outside. @param {number} group */
  listParents(group) {
    /** @type {number[]} */
    const parents = [];
    let at = this.doc.groups[group]?.parent ?? null;
    for (; at !== null; at = this.doc.groups[at]?.parent ?? null) parents.unshift(Number(at));
    return parents;
  }

  /** Whether a group is drawn, open or closed, its own node and not another's. @param {number} group */
  isShown(group) {
    const parents = this.listParents(group);
    return parents.every((outer) => this.open.has(outer)) && [...parents, group].every((one) => (
      this.viewAround(one)?.level.nodes.some((node) => node.group === one)
    ));
  }

  /** The levels that are drawn now. */
  *listShown() {
    yield this.outermost;
    for (const group of this.opened()) {
      const view = this.views.get(group);
      if (view) yield view;
    }
  }

  /** @param {number} group */
  viewAround(group) {
    return this.views.get(this.doc.groups[group]?.parent ?? null);
  }

  /** @param {number} group whose surroundings are open */
  findClosed(group) {
    const view = this.viewAround(group);
    const node = view?.level.nodes.find((one) => one.group === group);
    return node ? view?.nodes.get(node.id) ?? null : null;
  }

  /** Where a level lies in the world. @param {LevelView} view */
  findOrigin(view) {
    const origin = { x: 0, y: 0 };
    for (let at = view; at.group !== null;) {
      const outer = /** @type {LevelView} */ (this.viewAround(at.group));
      origin.x += at.place.x;
      origin.y += at.place.y;
      at = outer;
    }
    return origin;
  }

  /**
   * An iteration of a repeat; undefined where it must be asked for.
   * @param {number} group
   * @param {number} at
   * @returns {import("./drawing.js").Turn | undefined}
   */
  findTurn(group, at) {
    const sent = this.doc.iterations?.[group]?.turns?.[at];
    return sent?.labels || sent?.level ? sent : this.doc.iterations?.[`${group}@${at}`];
  }
}

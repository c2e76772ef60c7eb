// The picture of a graph whose groups open in place: it draws, and knows where everything is. What is
// selected, panned, zoomed, coloured or stepped through is the caller's.
//
//   const picture = makePicture(doc, host, { ask, changed, still });
//
// doc      the explorer's document; read: levels, groups, nodes, iterations, words. What the kernel
//          adds later is merged into the same object by the caller.
//          iterations: { GROUP: { count, turns: [Turn] } }, see drawing.js; a turn without
//          labels or level is asked for.
// host     the element that the picture is put into.
// ask      (kind, group, at) => Promise | undefined: called for what doc has not, kind "level" or
//          "iteration"; when the promise is done, doc should have it, an iteration as
//          doc.iterations["GROUP@AT"].
// changed  (change) => void: after each redraw. change = { width, height, group, before, after }: the
//          size of the whole in px, and, where a group was opened or closed, where its upper edge's middle was
//          and is, so that the caller can keep it where the eye is.
// still    true: no animation (also where the user prefers reduced motion).
//
// picture.element           the <svg class="gm-graph gm-picture">, width and height set in px; the caller may
//                           set viewBox or transforms on it as it likes
// picture.world             the <g> in it that holds everything, for a caller's transform
// picture.width, .height    px of the content
// picture.open(group)       -> Promise<boolean>: whether it is open now (its parents are opened too)
// picture.close(group), picture.toggle(group), picture.openAll(groups?) -> Promise, picture.closeAll()
// picture.isOpen(group), picture.opened() -> group ids, outer ones first
// picture.setIteration(group, at) -> Promise: of a repeat, from 0; picture.iteration(group) -> number. Its nodes
//                           then have the ids of that iteration's own
// picture.visibleNodes()    -> [{ id, group, element }] in reading order: id as in data-node; group the
//                           group's id where it is one (closed), else null. Ports are not among them.
// picture.findNode(id)      -> the element that stands for a leaf node now: its own, or that of the
//                           closed group that holds it; null where it is not drawn
// picture.findGroup(group)  -> the element of a group: its frame where it is open, else its node or that of the
//                           closed group around it
// picture.holder(id)        -> the group id (number) that stands for leaf `id` now, or null where it stands itself
// picture.placeOf(element)  -> { x, y, width, height } of a node or frame in the world's px
// picture.reveal(id)        -> Promise<element | null>: opens what hides a leaf node, and goes to its iteration
// picture.lines()           -> [{ element, from, to, level }]: the drawn edges, from and to as data-node
// picture.update()          -> Promise: draws the document anew, whose numbers were replaced (a what-if), with the
//                           same groups open at the same times; what it lacks for that is asked for first
// picture.destroy()
//
// Elements: <g data-node="ID" data-at="X Y"> (a closed group: also data-group="GROUP"; a port: negative ID),
// <g class="gm-frame" data-frame="GROUP"> an open group, its inside a <g class="gm-level" data-level="GROUP">;
// <g data-edge="N" data-from="ID" data-to="ID">; <g class="gm-label" data-flow="N">. Signs that can be clicked
// have data-act ("open", "close", "previous", "next") and are served here: a caller leaves alone what is
// clicked within one (event.target.closest("[data-act]")).
import { LevelView, makeSvg, setMove } from "./drawing.js";
import { STEPPER, fillFrame, makeFrame } from "./frames.js";
import { HEADROOM, frameSize } from "./geometry.js";
import { Nest } from "./nest.js";

/** A graph whose groups open in place; see the top of this file. */
class Picture {
  #updates = 0;
  #listening = new AbortController();

  /**
   * @param {Record<string, any>} doc
   * @param {Element} host
   * @param {{
   *   ask?: (kind: string, group: number, at?: number) => Promise<unknown> | undefined,
   *   changed?: (change: object) => void, still?: boolean,
   * }} [options]
   */
  constructor(doc, host, { ask, changed, still } = {}) {
    this.doc = doc;
    this.nest = new Nest(doc);
    this.ask = ask;
    this.changed = changed;
    this.width = 0;
    this.height = 0;
    this.world = /** @type {SVGGElement} */ (makeSvg("g", { class: "gm-world" }));
    this.element = /** @type {SVGSVGElement} */ (
      makeSvg("svg", { class: `gm-graph gm-picture${still ? " gm-still" : ""}`, role: "group" }, this.world)
    );
    const { signal } = this.#listening;
    this.element.addEventListener("click", (event) => this.#act(event), { signal });
    host.append(this.element);
    this.#build();
  }

  /** @param {number | string} group */
  isOpen(group) {
    return this.nest.isOpen(group);
  }

  opened() {
    return this.nest.opened();
  }

  /** @param {number | string} group */
  iteration(group) {
    return this.nest.iteration(group);
  }

  visibleNodes() {
    return this.nest.visibleNodes();
  }

  /** @param {number | string} id of a leaf node */
  holder(id) {
    return this.nest.holder(id);
  }

  /** @param {number | string} id of a leaf node */
  findNode(id) {
    return this.nest.findNode(id);
  }

  /** @param {number | string} group */
  findGroup(group) {
    return this.nest.findGroup(group);
  }

  /** @param {Element | null} element of a node or a frame */
  placeOf(element) {
    return element && this.element.contains(element) ? this.nest.placeOf(element) : null;
  }

  lines() {
    return this.nest.lines();
  }

  /** @param {number | string} group */
  async open(group) {
    const number = Number(group);
    for (const outer of [...this.nest.listParents(number), number]) {
      if (!(await this.#fetch(outer))) return false;
    }
    this.#change(number, () => {
      for (const outer of [...this.nest.listParents(number), number]) this.nest.open.add(outer);
    });
    return this.isOpen(number);
  }

  /** @param {number | string} group */
  close(group) {
    this.#change(Number(group), () => this.nest.open.delete(Number(group)));
  }

  /** @param {number | string} group */
  toggle(group) {
    return this.isOpen(group) ? (this.close(group), Promise.resolve(false)) : this.open(group);
  }

  /** @param {(number | string)[]} [groups] all, where none are given */
  async openAll(groups = Object.keys(this.doc.groups)) {
    const numbers = new Set(groups.map(Number).flatMap((group) => [...this.nest.listParents(group), group]));
    const found = await Promise.all([...numbers].map(async (group) => (
      { group, known: await this.#fetch(group) }
    )));
    this.#change(null, () => {
      for (const { group, known } of found) if (known) this.nest.open.add(group);
    });
  }

  closeAll() {
    this.#change(null, () => this.nest.open.clear());
  }

  /**
   * Shows another iteration of a repeat.
   * @param {number | string} group
   * @param {number} at
   */
  async setIteration(group, at) {
    const number = Number(group);
    const count = this.doc.groups[number]?.iterations ?? 0;
    if (!(at >= 0 && at < count) || at === this.iteration(number)) return;
    if (!(await this.#fetchTurn(number, at))) return;
    const before = this.nest.views.get(number)?.level.nodes ?? [];
    this.nest.iterations.set(number, at);
    this.nest.views.delete(number);
    // what is open in one iteration is so in the next, where both look the same
    const after = this.nest.open.has(number) ? this.nest.see(number)?.level.nodes ?? [] : [];
    for (const [i, { group: inner }] of before.entries()) {
      const next = after[i]?.group;
      const known = inner !== null && this.nest.open.has(inner) && typeof next === "number";
      if (known && await this.#fetch(next)) this.nest.open.add(next);
    }
    this.#change(number, () => {});
  }

  /** @param {number | string} id of a leaf node */
  async reveal(id) {
    const groups = this.nest.listGroups(Number(id));
    for (const [i, group] of groups.entries()) {
      const next = groups[i + 1] === undefined ? Number(id) : this.nest.base + groups[i + 1];
      const turns = this.doc.iterations?.[group]?.turns ?? [];
      const at = turns.findIndex((/** @type {import("./drawing.js").Turn} */ turn) =>
        turn.nodes?.some((node) => node === next || node === Number(id)));
      if (at >= 0) await this.setIteration(group, at);
    }
    if (groups.length) await this.open(groups[groups.length - 1]);
    return this.findNode(id);
  }

  async update() {
    const number = ++this.#updates;
    const at = [...this.nest.iterations].filter(([group]) => this.nest.open.has(group));
    await Promise.all([
      ...[...this.nest.open].map((group) => this.#fetch(group)),
      ...at.map(([group, time]) => this.#fetchTurn(group, time)),
    ]);
    if (number !== this.#updates) return; // a newer one draws
    for (const group of this.nest.open) if (!this.doc.levels[group]) this.nest.open.delete(group);
    for (const [group, time] of this.nest.iterations) {
      if (time && !this.nest.findTurn(group, time)) this.nest.iterations.delete(group);
    }
    this.nest.views.clear();
    this.#build();
  }

  destroy() {
    this.#listening.abort();
    this.element.remove();
  }

  #build() {
    this.nest.views.set(null, new LevelView(null, this.doc.levels[""].svg));
    this.element.setAttribute("aria-label", this.nest.outermost.words);
    this.world.replaceChildren(this.nest.outermost.element);
    this.#arrange();
    this.#tell(null, null);
  }

  /** Whether a group's level is there, after asking for it. @param {number} group */
  async #fetch(group) {
    if (!this.doc.levels[group]) await this.ask?.("level", group);
    return Boolean(this.doc.levels[group]);
  }

  /** Whether an iteration is there, after asking for it. @param {number} group @param {number} at */
  async #fetchTurn(group, at) {
    if (at && !this.nest.findTurn(group, at)) await this.ask?.("iteration", group, at);
    return !at || Boolean(this.nest.findTurn(group, at));
  }

  /** @param {number | null} group @param {() => void} act */
  #change(group, act) {
    const before = this.#findAnchor(group);
    act();
    this.#arrange();
    this.#tell(group, before);
  }

  /** The middle of a group's upper edge, open or closed. @param {number | null} group */
  #findAnchor(group) {
    if (group === null) return null;
    const place = this.placeOf(this.findGroup(group));
    return place && { x: place.x + place.width / 2, y: place.y };
  }

  /** @param {number | null} group @param {object | null} before */
  #tell(group, before) {
    const after = this.#findAnchor(group);
    this.changed?.({ width: this.width, height: this.height, group, before, after });
  }

  /** Draws what is open, from the inside out. */
  #arrange() {
    const { width, height } = this.#arrangeLevel(this.nest.outermost);
    this.width = width;
    this.height = height;
    this.element.setAttribute("width", String(width));
    this.element.setAttribute("height", String(height));
  }

  /**
   * @param {LevelView} view
   * @returns {import("./geometry.js").Size}
   */
  #arrangeLevel(view) {
    /** @type {Map<number, { width: number, height: number }>} */
    const frames = new Map();
    for (const node of view.level.nodes) {
      const { group } = node;
      const inner = group !== null && this.nest.open.has(group) ? this.nest.see(group) : undefined;
      if (group === null || !inner) continue;
      const title = node.width + (this.doc.groups[group].iterations ? STEPPER : 0);
      frames.set(group, frameSize(this.#arrangeLevel(inner), title));
    }
    view.draw(frames);
    for (const [group, frame] of view.frames) {
      if (!frames.has(group)) {
        frame.remove();
        view.frames.delete(group);
      }
    }
    for (const node of view.level.nodes) {
      if (node.group !== null && frames.has(node.group)) this.#drawFrame(view, node);
    }
    return view.arranged;
  }

  /** @param {LevelView} view @param {import("./geometry.js").Placed} node of an open group */
  #drawFrame(view, node) {
    const group = /** @type {number} */ (node.group);
    const inner = /** @type {LevelView} */ (this.nest.views.get(group));
    const box = /** @type {import("./geometry.js").Box} */ (view.arranged.boxes.get(node.id));
    const described = this.doc.groups[group];
    let frame = view.frames.get(group);
    if (!frame) {
      const closed = /** @type {Element} */ (view.nodes.get(node.id));
      frame = makeFrame(group, closed, described, this.doc.words ?? {});
      view.frames.set(group, frame);
      view.element.append(frame);
    }
    const turn = described.iterations ? `${this.iteration(group) + 1} / ${described.iterations}` : "";
    fillFrame(frame, box, inner.element, turn);
    const x = Math.round((box.right - box.left - inner.arranged.width) / 2);
    inner.place = { x: box.left + x, y: box.top + HEADROOM };
    setMove(inner.element, x, HEADROOM);
  }

  /** @param {Event} event */
  #act(event) {
    const sign = event.target instanceof Element ? event.target.closest("[data-act]") : null;
    if (!sign) return;
    const frame = sign.closest("[data-frame], [data-group]");
    const group = Number(frame?.getAttribute("data-frame") ?? frame?.getAttribute("data-group"));
    const at = this.iteration(group);
    const count = this.doc.groups[group]?.iterations ?? 0;
    switch (sign.getAttribute("data-act")) {
      case "open": return void this.open(group);
      case "close": return void this.close(group);
      case "previous": return void this.setIteration(group, (at + count - 1) % count);
      case "next": return void this.setIteration(group, (at + 1) % count);
    }
  }
}

/**
 * Puts a graph's picture into a place on the page.
 * @param {Record<string, any>} doc
 * @param {Element} host
 * @param {ConstructorParameters<typeof Picture>[2]} [options]
 */
export const makePicture = (doc, host, options) => new Picture(doc, host, options);

// The live graph of a report: the picture, what stands around it, and what the user does with it.
//
// Its parts, each of one subject: stage.js (pan, zoom), picture.js, nest.js and geometry.js (groups that open in
// place), lighting.js and paths.js (what is lit), stepping.js and schedule.js (the walk through both
// passes), repeats.js, telling.js and panel.js (what is said), searching.js, colouring.js, nudging.js
// and kernel.js (what TensorFlow is asked), keys.js, pointing.js and acting.js (what keys, pointer and buttons do), links.js.
// Its words are in render/explorer/words.py.
import { listActs } from "./acting.js";
import { Colouring } from "./colouring.js";
import { Kernel } from "./kernel.js";
import { listenToKeys } from "./keys.js";
import { Lighting, isInside } from "./lighting.js";
import { followStepLinks } from "./links.js";
import { Nudging, mergeDocument, replaceNumbers } from "./nudging.js";
import { InfoPanel } from "./panel.js";
import { makePicture } from "./picture.js";
import { listenToPointer, readKey } from "./pointing.js";
import { Repeats } from "./repeats.js";
import { listSteps, readStepLink } from "./schedule.js";
import { SearchBox } from "./searching.js";
import { Stage } from "./stage.js";
import { Stepper } from "./stepping.js";
import { Telling } from "./telling.js";
import { makeHelp, makeToolbar } from "./toolbar.js";
import { fillText, make } from "../elements.js";
import { watchScrolling } from "../scrolling.js";

const PANEL = 392; // px of the panel, where it stands beside the stage
const ROOM = 468; // px that the stage then has at least
const SMALLER = 0.8; // the scale to which a panel may press a graph from the start

export class Explorer {
  /**
   * @param {HTMLElement} panel the report's part that holds the static graph
   * @param {Record<string, any>} doc
   * @param {Record<string, string>} words
   * @param {{send(message: any): void, onMessage(hear: (message: any) => void): void} | null} connection
   * @param {AbortSignal} signal
   */
  constructor(panel, doc, words, connection, signal) {
    Object.assign(this, { panel, doc, words, signal });
    this.kernel = new Kernel(connection);
    this.steps = listSteps(doc.steps);
    this.repeats = new Repeats(doc);
    /** @type {boolean | null} whether the panel is open from the start; null: not known yet */
    this.roomy = null;
    /** @type {string | null} */
    this.hovered = null;
    /** @type {Set<string>} keys of nodes and groups, open or not */
    this.picked = new Set();
    this.rover = String(doc.target); // the node that Tab comes to
    this.held = false; // whether the stage has the keyboard, also when the node that had it is gone
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.#build();
    this.#listen();
    this.#begin();
  }

  #build() {
    const { doc, words, signal } = this;
    this.stage = new Stage(words.stage, signal);
    this.search = new SearchBox(doc, words, {
      go: (key) => this.telling.go(key), mark: (keys) => this.pick(new Set(keys)), leave: () => this.focusNode(this.rover),
      isDrawn: (id) => this.repeats.findFirst(id) === id,
    }, signal);
    this.colouring = new Colouring(doc, words, () => this.colouring.paint(this.lighting.drawn), signal);
    this.info = new InfoPanel(doc, words, {
      close: () => this.closePanel(), line: (line) => this.telling.showLine(line),
    }, signal);
    this.stepper = new Stepper(this.steps, words, {
      stop: (stop) => this.telling.showStop(stop), link: (number) => this.telling.writeLink(number),
    }, signal);
    this.nudging = new Nudging(this.info.body, this.kernel, words, (part) => this.renew(part), signal);
    this.tools = makeToolbar(words, (act) => this.perform(act), {
      search: this.search.element, colour: this.colouring.element, groups: Object.keys(doc.groups).length > 0,
    }, signal);
    this.help = makeHelp(words);
    this.bench = make("div", { class: "gm-bench" },
      make("div", { class: "gm-left" }, this.nudging.banner, this.stage.element, this.stepper.element),
      this.info.element);
    this.element = make("div", { class: "gm-explorer" },
      this.tools.element, this.help, this.colouring.legend, this.bench);
    const static_ = this.panel.querySelector(":scope > .gm-flow, :scope > .gm-listing");
    if (static_) static_.before(this.element);
    else this.panel.append(this.element);
    this.panel.classList.add("gm-explored");
    this.picture = makePicture(doc, this.stage.canvas, {
      ask: (/** @type {string} */ kind, /** @type {number} */ group, /** @type {number} */ at) => this.#ask(kind, group, at),
      changed: (/** @type {any} */ change) => this.takeIn(change),
      still: false,
    });
    this.lighting = new Lighting(this.picture, doc, this.steps, this.repeats);
    this.telling = new Telling(this);
    this.acts = listActs(this);
    signal.addEventListener("abort", () => {
      this.picture.destroy();
      this.element.remove();
      this.panel.classList.remove("gm-explored");
    });
  }

  #listen() {
    const { signal, stage } = this;
    listenToPointer(this, signal);
    this.info.body.addEventListener("click", (event) => {
      const link = event.target instanceof Element && event.target.closest("[data-node], [data-line], [data-open]");
      if (!(link instanceof HTMLElement)) return;
      if (link.dataset.node) this.telling.go(link.dataset.node);
      else if (link.dataset.line) this.telling.showLine(Number(link.dataset.line));
      else this.telling.openStop(Number(link.dataset.open));
    }, { signal });
    listenToKeys(this.element, (act, focused) => this.perform(act, focused), signal);
    followStepLinks(this.element, (number) => this.telling.goTo(number), signal);
    const sizes = new ResizeObserver(() => this.resize());
    sizes.observe(stage.element);
    signal.addEventListener("abort", () => sizes.disconnect());
  }

  /** Takes in what the picture shows now. @param {any} change */
  takeIn(change) {
    if (!this.lighting) return; // the first drawing, which #begin takes in
    this.lighting.refresh();
    this.colouring.paint(this.lighting.drawn);
    this.stepper.refresh((id) => this.lighting.show(id));
    this.dress();
    this.lighting.mark(this.findShown(this.picked));
    this.telling.turn();
    this.lighting.choose(this.telling.selected);
    this.lighting.lightStep(this.stepper.stop);
    this.stage.takeIn(this.picture, change?.before, change?.after);
    if (this.held) this.focusNode(this.rover); // what had the focus may be gone, or hidden
  }

  #begin() {
    this.stage.measure(this.picture);
    this.takeIn(null);
    this.stage.open();
    const number = readStepLink(window.location.hash);
    if (number !== null && !this.kernel.present) this.telling.goTo(number);
  }

  resize() {
    if (!this.stage.element.clientWidth) return; // the tab is not open
    if (this.roomy === null) {
      const room = this.element.clientWidth - PANEL;
      this.roomy = room >= ROOM && this.picture.width * SMALLER <= room;
      if (this.telling.selected === null && !this.stepper.stop) this.telling.invite();
    }
    if (this.stage.touched) this.stage.setView(this.stage.view);
    else this.stage.open();
    this.telling.reveal();
  }

  /** Closes the panel, also where it has a place of its own. */
  closePanel() {
    this.roomy = false;
    this.deselect();
    this.info.setOpen(false);
  }

  /** Gives each node what the keyboard and who can't see it need. */
  dress() {
    const { doc, words } = this;
    for (const [key, element] of this.lighting.drawn) {
      const group = key.startsWith("g");
      const one = group ? doc.groups[key.slice(1)] : doc.nodes[key];
      const line = one?.line ? fillText(words.line, { line: one.line }) : "";
      const parts = group ? [one?.name, one?.detail, fillText(words.ops, { count: one?.count ?? "" })] : [one?.label, one?.op];
      element.setAttribute("role", "button");
      element.setAttribute("aria-label", [...parts, line].filter(Boolean).join(", "));
      if (group) element.setAttribute("aria-expanded", "false");
    }
    this.setRover(this.#findRover());
  }

  /** The node that Tab comes to: of a group that was opened, the first in it. */
  #findRover() {
    const { lighting, rover, doc } = this;
    if (lighting.elements.has(rover)) return rover;
    const inside = rover.startsWith("g")
      ? lighting.drawn.find(([key]) => isInside(doc, key, Number(rover.slice(1))))?.[0]
      : undefined;
    const [shown] = this.findShown([rover]);
    return inside ?? (lighting.elements.has(shown) ? shown : lighting.drawn[0]?.[0] ?? "");
  }

  /** The keys of what is drawn for nodes and groups. @param {Iterable<string>} keys */
  findShown(keys) {
    /** @type {Set<string>} */
    const shown = new Set();
    for (const key of keys) {
      const drawn = this.lighting.elements.has(key);
      if (drawn) shown.add(key);
      else if (!key.startsWith("g")) shown.add(this.lighting.show(Number(key)));
      else shown.add(readKey(this.picture.findGroup(Number(key.slice(1)))) ?? key);
    }
    return shown;
  }

  /** @param {string} key */
  setRover(key) {
    this.rover = key;
    for (const [other, element] of this.lighting.drawn) element.setAttribute("tabindex", other === key ? "0" : "-1");
  }

  /** @param {string} key */
  focusNode(key) {
    const element = this.lighting.elements.get(key);
    if (!(element instanceof SVGElement)) return false;
    this.setRover(key);
    element.focus({ preventScroll: true });
    this.stage.reveal(this.picture.placeOf(element));
    return true;
  }

  /** @param {string | null} key */
  hover(key) {
    if (key === this.hovered) return;
    this.hovered = key;
    this.lighting.lightPaths(key);
  }

  deselect() {
    this.pick(new Set());
    this.telling.drop();
  }

  /** @param {Set<string>} keys */
  pick(keys) {
    this.picked = keys;
    this.lighting.mark(this.findShown(keys));
  }

  /** @param {"level" | "iteration"} kind @param {number} group @param {number} [at] */
  async #ask(kind, group, at) {
    const answer = await this.kernel.ask(kind === "level" ? { kind, group } : { kind, group, at });
    if (answer) mergeDocument(this.doc, answer);
    const missing = kind === "level" ? this.words.no_level : this.words.no_time;
    const said = this.kernel.present ? (answer ? answer.error : this.words.no_answer) : missing;
    if (said) this.telling.warn(said);
  }

  /** Shows what the kernel sent for an imagined value, or for the real one again. @param {any} part */
  async renew(part) {
    replaceNumbers(this.doc, part);
    this.telling.renew();
    await this.picture.update();
    this.element.classList.toggle("gm-imagined", this.nudging.imagined !== null);
  }

  /**
   * @param {string} act as keys.js names it
   * @param {Element | null} focused
   * @returns {boolean} whether it did something
   */
  perform(act, focused = null) {
    const does = this.acts[act];
    return does !== undefined && does(focused) !== false;
  }
}

/**
 * Puts the live graph into a report.
 * @param {HTMLElement} panel the report's part that holds the static graph
 * @param {Record<string, any>} doc
 * @param {Record<string, string>} words
 * @param {{send(message: any): void, onMessage(hear: (message: any) => void): void} | null} connection
 * @param {AbortSignal} signal takes it away
 */
export function mountExplorer(panel, doc, words, connection, signal) {
  try {
    const said = { ...doc.words, ...words };
    watchScrolling(panel, said.scrolls, signal);
    return new Explorer(panel, doc, said, connection, signal);
  } catch (error) { // the picture that was there serves
    panel.querySelector(":scope > .gm-explorer")?.remove();
    panel.classList.remove("gm-explored");
    console.error("gradmagic: the graph cannot be explored.", error);
    return null;
  }
}

/**
 * Brings the graph of a report to life on a page that has no kernel.
 * @param {string} own what tells the report's document from others on the page; it stands after it
 */
export function mountSavedExplorer(own) {
  const data = document.querySelector(`[data-explorer="${own}"]`);
  const panels = [...document.querySelectorAll(".gm-panel.gm-graph")].filter((panel) =>
    data && panel.compareDocumentPosition(data) & Node.DOCUMENT_POSITION_FOLLOWING);
  const panel = panels[panels.length - 1];
  if (!data || !(panel instanceof HTMLElement)) return;
  mountExplorer(panel, JSON.parse(data.textContent ?? ""), {}, null, new AbortController().signal);
}

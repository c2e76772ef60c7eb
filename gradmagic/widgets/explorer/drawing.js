// The drawing of one level: what is in it, and how it moves when groups in it open.
import { arrange } from "./geometry.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
export function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @param {Element} element @param {string} name */
const readPlaces = (element, name) => (element.getAttribute(name) ?? "").split(" ").map(Number);

/**
 * @typedef {{
 *   like?: number, labels?: Record<string, string>, nodes?: number[], changed?: Record<string, string>,
 *   level?: { svg: string },
 * }} Turn
 *   an iteration of a repeat: labels by flow and its nodes' ids, in the drawing of the first or of the
 *   one it is like, and nodes, by their place among them, that say something else; or a drawing of its own
 */

/** The drawing of one level, and what moves in it. */
export class LevelView {
  /**
   * @param {number | null} group null for the outermost
   * @param {string} svg of the first iteration, or of the one that looks as this one
   * @param {Turn} [turn] of a repeat, if it is not the first
   */
  constructor(group, svg, turn) {
    const holder = document.createElement("div");
    holder.innerHTML = svg;
    const drawing = /** @type {SVGSVGElement} */ (holder.querySelector("svg"));
    this.group = group;
    this.words = drawing.getAttribute("aria-label") ?? "";
    this.element = makeSvg("g", { class: "gm-level", "data-level": group ?? "" }, ...drawing.childNodes);
    if (turn?.labels) this.#turn(turn);
    /** @type {Map<number, SVGGElement>} */
    this.nodes = new Map();
    const placed = [...this.element.querySelectorAll("[data-node]")].map((element) => {
      const [x, y, width, height] = readPlaces(element, "data-at");
      const id = Number(element.getAttribute("data-node"));
      this.nodes.set(id, /** @type {SVGGElement} */ (element));
      const opens = element.getAttribute("data-group");
      return { id, x, y, width, height, group: opens === null ? null : Number(opens) };
    });
    this.edges = [...this.element.querySelectorAll("[data-edge]")].map((element) => ({
      element,
      wire: {
        from: Number(element.getAttribute("data-from")),
        to: Number(element.getAttribute("data-to")),
        xs: readPlaces(element, "data-xs"),
      },
      paths: [...element.querySelectorAll("path")].map((path) => (
        { path, data: path.getAttribute("d") ?? "" }
      )),
    }));
    this.labels = [...this.element.querySelectorAll(".gm-label")].map((element) => {
      const [x, y, left, right] = readPlaces(element, "data-at");
      const flow = element.getAttribute("data-flow");
      const line = this.edges.find((edge) => edge.element.getAttribute("data-flow") === flow);
      const { from = 0, xs: [start] = [0] } = line?.wire ?? {};
      return { element, label: { x, y, left, right, from, start } };
    });
    this.level = {
      width: Number(drawing.getAttribute("width")),
      height: Number(drawing.getAttribute("height")),
      nodes: placed,
      wires: this.edges.map((edge) => edge.wire),
    };
    this.arranged = arrange(this.level, new Map());
    this.drawnFor = "[]"; // the frames that it is drawn with
    this.place = { x: 0, y: 0 }; // in the level around
    /** @type {Map<number, SVGElement>} */
    this.frames = new Map();
  }

  /** Makes another iteration's of a drawing of the first. @param {Turn} turn */
  #turn({ labels = {}, nodes = [], changed = {} }) {
    /** @type {Map<string, string>} */
    const names = new Map();
    this.element.querySelectorAll("[data-node]").forEach((element, i) => {
      const was = element.getAttribute("data-node") ?? "";
      const by = nodes[i] - Number(was);
      names.set(was, String(nodes[i]));
      if (i in changed) return void (element.outerHTML = changed[i]);
      element.setAttribute("data-node", String(nodes[i]));
      const group = element.getAttribute("data-group"); // groups are numbered as their nodes
      if (group !== null) element.setAttribute("data-group", String(Number(group) + by));
    });
    for (const edge of this.element.querySelectorAll("[data-edge]")) {
      for (const end of ["data-from", "data-to"]) {
        edge.setAttribute(end, names.get(edge.getAttribute(end) ?? "") ?? "");
      }
    }
    for (const label of this.element.querySelectorAll(".gm-label")) {
      label.innerHTML = labels[label.getAttribute("data-flow") ?? ""] ?? "";
    }
  }

  /** Draws the level with frames of the given sizes. @param {Map<number, { width: number, height: number }>} frames */
  draw(frames) {
    const sizes = JSON.stringify([...frames]);
    if (sizes === this.drawnFor) return;
    this.drawnFor = sizes;
    this.arranged = arrange(this.level, frames);
    for (const node of this.level.nodes) {
      const element = /** @type {SVGGElement} */ (this.nodes.get(node.id));
      const box = /** @type {import("./geometry.js").Box} */ (this.arranged.boxes.get(node.id));
      const isOpen = node.group !== null && frames.has(node.group);
      element.toggleAttribute("data-opened", isOpen);
      if (isOpen) continue;
      setMove(element, (box.left + box.right) / 2 - node.x, box.top + node.height / 2 - node.y);
      stretch(element, (box.right - box.left - node.width) / 2);
    }
    for (const { wire, paths } of this.edges) {
      for (const { path, data } of paths) path.setAttribute("d", this.arranged.movePath(wire, data));
    }
    for (const { element, label } of this.labels) {
      const by = this.arranged.moveLabel(label);
      setMove(element, by.x, by.y);
    }
  }
}

/** @param {Element} element @param {number} x @param {number} y */
export function setMove(element, x, y) {
  if (x || y) element.setAttribute("transform", `translate(${x} ${y})`);
  else element.removeAttribute("transform");
}

/**
 * Makes a node's boxes wider at both sides.
 * @param {Element} element
 * @param {number} by px
 */
function stretch(element, by) {
  for (const box of element.querySelectorAll("rect")) {
    const [x, width] = (box.dataset.was ?? `${box.getAttribute("x")} ${box.getAttribute("width")}`)
      .split(" ").map(Number);
    if (!by && !box.dataset.was) continue;
    box.dataset.was = `${x} ${width}`;
    box.setAttribute("x", String(x - by));
    box.setAttribute("width", String(width + 2 * by));
  }
}


// What is chosen, and what the panel says of it: a node, a group, a line of the cell, a step.
import { fillText, make } from "../elements.js";
import { sendDot } from "./stepping.js";

const LISTED_NODES = 50; // of a line

/** @param {string} text */
const escapeText = (text) => make("span", {}, text).innerHTML;

/**
 * The line of the cell that a node or group ran on.
 * @param {Record<string, any>} doc
 * @param {string} key
 * @returns {number | null}
 */
export function findLine(doc, key) {
  return (key.startsWith("g") ? doc.groups[key.slice(1)] : doc.nodes[key])?.line ?? null;
}

export class Telling {
  /** @param {import("./explorer.js").Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    /** @type {string | null} the key of what is drawn for what was chosen */
    this.selected = null;
  }

  /** Shows a node's or group's details, and where it is. @param {string} key of what is drawn, or of an open group */
  select(key) {
    const { lighting, picture, stage } = this.explorer;
    this.selected = key;
    if (lighting.elements.has(key)) this.explorer.setRover(key);
    lighting.choose(key);
    const frame = key.startsWith("g") ? picture.findGroup(Number(key.slice(1))) : null;
    stage.reveal(picture.placeOf(lighting.elements.get(key) ?? frame));
    return this.#showDetails();
  }

  #showDetails() {
    const { doc, info, words } = this.explorer;
    const about = this.selected ?? "";
    const line = findLine(doc, about);
    info.markLines(new Set(line === null ? [] : [line]));
    this.#write(about, words.asking);
    return this.#askDetails(about);
  }

  /** Shows a node's details once they are there. @param {string} about */
  async #askDetails(about) {
    const { doc, info } = this.explorer;
    if (about in doc.details) return;
    await this.#fetch(about);
    if (this.selected === about && info.shown === about) this.#write(about, this.#sayMissing());
  }

  /** Asks for a node's details. @param {string} node */
  async #fetch(node) {
    const { doc, kernel } = this.explorer;
    const answer = await kernel.ask({ kind: "detail", node });
    if (answer?.html !== undefined) doc.details[node] = answer.html;
  }

  /** Why no more is known. */
  #sayMissing() {
    const { kernel, words } = this.explorer;
    return kernel.present ? words.no_answer : words.no_detail;
  }

  /** @param {string} key @param {string} missing what is said where its details are not known */
  #write(key, missing) {
    const { doc, info, nudging } = this.explorer;
    const source = Object.entries(doc.sources).find(([, id]) => String(id) === key)?.[0];
    const chain = source === undefined ? undefined : doc.chains[source];
    const said = Object.values(doc.steps.said[key] ?? {}).join("");
    const html = doc.details[key] ?? `${said}<p class="gm-s">${escapeText(missing)}</p>`;
    const all = chain ? `${html}<section class="gm-chain">${chain}</section>` : html;
    info.show(key, all, nudging.imagined !== null);
    nudging.prepare();
  }

  /** Nothing is chosen any more. */
  drop() {
    const { info, lighting, stepper } = this.explorer;
    this.selected = null;
    lighting.choose(null);
    info.markLines(new Set());
    if (stepper.stop) this.#tellStop(stepper.stop);
    else this.invite();
  }

  /** Says what can be done, where the panel has a place of its own; else the panel is closed. */
  invite() {
    const { info, words, roomy } = this.explorer;
    if (roomy) info.show("", `<p class="gm-s">${escapeText(words.help_mouse)}</p>`);
    else info.setOpen(false);
  }

  /** Says what could not be done. @param {string} text */
  warn(text) {
    this.explorer.info.show("warning", `<p>${escapeText(text)}</p>`);
  }

  /** Brings into view what is told of. */
  reveal() {
    const { lighting, picture, stage, stepper } = this.explorer;
    const key = stepper.stop?.key ?? this.selected;
    if (key !== null) stage.reveal(picture.placeOf(lighting.elements.get(key) ?? null));
  }

  /** Another time of a repeat may be shown now: what was chosen is then another node. */
  turn() {
    const { lighting, info } = this.explorer;
    const before = this.selected;
    if (before === null || before.startsWith("g") || lighting.elements.has(before)) return;
    const now = lighting.show(Number(before));
    if (!lighting.elements.has(now) || now.startsWith("g")) return;
    this.selected = now;
    if (info.shown === before) this.#showDetails();
  }

  /** Other numbers are in the document: writes what is shown anew; what was there stays until they come. */
  renew() {
    const { info, stepper, doc } = this.explorer;
    if (stepper.stop && info.shown.startsWith("step")) void this.#tellStop(stepper.stop);
    else if (this.selected !== null && info.shown === this.selected) {
      if (this.selected in doc.details) this.#write(this.selected, "");
      else void this.#askDetails(this.selected);
    }
  }

  /** Goes to a node or group wherever it is: opens what hides it, and shows its details. @param {string} key */
  async go(key) {
    const { doc, picture, lighting } = this.explorer;
    if (key.startsWith("g")) {
      const parent = doc.groups[key.slice(1)]?.parent ?? null;
      if (parent !== null) await picture.open(parent);
      return this.select(key);
    }
    await this.#reveal(Number(key));
    return this.select(lighting.show(Number(key)));
  }

  /** Opens what hides a node, and turns what runs again and again to its time. @param {number} id */
  async #reveal(id) {
    const { picture, repeats } = this.explorer;
    for (const [group, at] of repeats.listTimes(id)) {
      if (picture.iteration(group) !== at) await picture.setIteration(group, at);
    }
    if (this.explorer.lighting.show(id) !== String(id)) await picture.reveal(id);
  }

  /** Selects what a line of the cell ran. @param {number} line */
  showLine(line) {
    const { doc, words, info, picture, lighting, repeats, stage } = this.explorer;
    const ids = Object.keys(doc.nodes).filter((id) =>
      doc.nodes[id].line === line && repeats.findFirst(Number(id)) === Number(id));
    this.explorer.pick(new Set(ids));
    info.markLines(new Set([line]));
    const rows = ids.slice(0, LISTED_NODES).map((id) =>
      `<li><button type="button" class="gm-link" data-node="${id}"><code>${escapeText(doc.nodes[id].label)}</code></button>`
      + ` <span class="gm-s">${escapeText(doc.nodes[id].op ?? "")}</span></li>`);
    const head = fillText(ids.length ? words.on_line : words.none_on_line, { line, count: ids.length });
    info.show(`line ${line}`, `<p>${escapeText(head)}</p><ul>${rows.join("")}</ul>`);
    const first = lighting.elements.get([...this.explorer.findShown(ids)][0]);
    if (first) stage.reveal(picture.placeOf(first));
  }

  /** Shows where the walk is; null: it has ended. @param {import("./schedule.js").Stop | null} stop */
  async showStop(stop) {
    const { lighting, picture, stage, steps, still, stepper } = this.explorer;
    if (stop && !stop.key.startsWith("g") && stop.key !== String(steps[stop.first - 1].node)) {
      await this.#reveal(steps[stop.first - 1].node); // in another time of what runs again and again
      if (stepper.stop?.first !== stop.first) return; // the walk has gone on meanwhile
      stop = stepper.stop; // with the key of what is drawn now
    }
    const moving = lighting.lightStep(stop);
    if (!stop) return void this.drop();
    this.selected = null;
    lighting.choose(null);
    if (this.explorer.held) this.explorer.focusNode(stop.key); // the keyboard goes along
    else {
      this.explorer.setRover(stop.key);
      stage.reveal(picture.placeOf(lighting.elements.get(stop.key) ?? null));
    }
    this.explorer.hover(null);
    for (const dot of picture.element.querySelectorAll(".gm-dot")) dot.remove();
    if (!still.matches) for (const line of moving) sendDot(line, stop.pass === "backward", stepper.speedFactor);
    this.#tellStop(stop);
  }

  /** @param {import("./schedule.js").Stop} stop */
  async #tellStop(stop) {
    const { doc, info, steps, stepper, words } = this.explorer;
    const line = findLine(doc, stop.key);
    info.markLines(new Set(line === null ? [] : [line]));
    const about = `step ${stop.first}`;
    const node = String(steps[stop.last - 1].node);
    const isKnown = () => doc.steps.said[node] || node in doc.details;
    if (isKnown() || info.shown !== about) info.show(about, this.#writeStop(stop, words.asking));
    if (isKnown()) return;
    await this.#fetch(node);
    if (stepper.stop?.first === stop.first && info.shown === about) info.show(about, this.#writeStop(stop, this.#sayMissing()));
  }

  /**
   * What is said of a stop; of one that takes a group's steps as one, with a way into it.
   * @param {import("./schedule.js").Stop} stop
   * @param {string} missing what is said where nothing is known
   */
  #writeStop(stop, missing) {
    const { doc, steps, words } = this.explorer;
    const { node } = steps[stop.last - 1];
    const said = doc.steps.said[node]?.[stop.pass] ?? doc.details[node] ?? `<p class="gm-s">${escapeText(missing)}</p>`;
    if (!stop.key.startsWith("g")) return said;
    const name = doc.groups[stop.key.slice(1)]?.name ?? "";
    const text = fillText(words.step_group, { name, count: stop.last - stop.first + 1 });
    return `<p>${escapeText(text)} <button type="button" class="gm-link" data-open="${stop.key.slice(1)}">`
      + `${escapeText(words.step_inside)}</button></p>${said}`;
  }

  /** Opens the group that the walk takes as one, and walks on inside it. @param {number} group */
  async openStop(group) {
    const { picture, stepper } = this.explorer;
    await picture.open(group);
    if (stepper.stop) stepper.goTo(stepper.number);
  }

  /** Goes to the step of a number; opens what hides it. @param {number} number */
  async goTo(number) {
    const { panel, stepper, steps, element } = this.explorer;
    const step = steps[number - 1];
    if (!step) return;
    panel.dispatchEvent(new CustomEvent("gm-show", { bubbles: true })); // its tab is opened
    await this.#reveal(step.node);
    stepper.goTo(number);
    element.scrollIntoView({ block: "nearest" });
  }

  /** What a step's number is copied as: an address on a saved page, else for a Markdown cell. @param {number} number */
  writeLink(number) {
    const { kernel, words } = this.explorer;
    const address = `#step-${number}`;
    if (!kernel.present) return window.location.href.split("#")[0] + address;
    return `[${fillText(words.step_name, { number })}](${address})`;
  }
}

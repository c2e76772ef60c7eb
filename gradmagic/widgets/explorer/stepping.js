// The walk through the run: buttons, a slider, play. It says where the walk is; what that shows is
// the explorer's.
import { makeCopyButton } from "../copying.js";
import { fillText, make } from "../elements.js";
import { makeIconButton, setIcon } from "./icons.js";
import { findStop, listStops } from "./schedule.js";

const PACE = 1400; // ms a step at speed 1
const SPEEDS = [0.5, 1, 2];
const MOVE = 650; // ms that the dot takes along a line, at most

export class Stepper {
  /**
   * @param {import("./schedule.js").Step[]} steps
   * @param {Record<string, string>} words
   * @param {{stop(stop: import("./schedule.js").Stop | null): void, link(number: number): string}} on
   *   stop: the walk has come to one, or has ended; link: what a step's number is copied as
   * @param {AbortSignal} signal
   */
  constructor(steps, words, on, signal) {
    Object.assign(this, { steps, words, on });
    /** @type {import("./schedule.js").Stop[]} */
    this.stops = [];
    this.at = -1; // place among the stops; -1: the walk has not begun
    this.number = 0; // of the step, which stays when groups are opened
    this.playing = 0; // timer
    /** @param {string} name @param {string} label @param {() => void} act */
    const button = (name, label, act) => makeIconButton(name, label, act, signal);
    this.player = button("play", words.play, () => this.toggle());
    this.slider = /** @type {HTMLInputElement} */ (make("input", {
      type: "range", min: "0", step: "1", value: "0", "aria-label": words.step_slider,
    }));
    this.slider.addEventListener("input", () => {
      this.pause();
      this.#setPlace(Number(this.slider.value) - 1);
    }, { signal });
    this.speed = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": words.speed, title: words.speed }));
    for (const speed of SPEEDS) this.speed.append(make("option", { value: String(speed) }, `${speed}\u00d7`));
    this.speed.value = "1";
    this.text = make("span", { class: "gm-at", "aria-live": "polite" });
    const said = { copy: words.copy_link, copied: words.copied, selected: words.selected };
    this.link = makeCopyButton("gm-link", this.text, () => on.link(this.number), said, signal);
    this.link.title = words.copy_link_long;
    this.leaver = button("close", words.leave_steps, () => this.leave());
    this.element = make("div", { class: "gm-walk", role: "group", "aria-label": words.steps },
      make("span", { class: "gm-buttons" },
        button("first", words.first_step, () => this.go(0)),
        button("previous", words.previous_step, () => this.move(-1)),
        this.player,
        button("next", words.next_step, () => this.move(1)),
        button("last", words.last_step, () => this.go(this.stops.length - 1))),
      this.slider, this.speed,
      make("span", { class: "gm-where" }, this.text, this.link, this.leaver));
    this.element.hidden = steps.length === 0;
    signal.addEventListener("abort", () => this.pause());
  }

  get speedFactor() {
    return Number(this.speed.value);
  }

  get stop() {
    return this.stops[this.at] ?? null;
  }

  /** Takes in what is open now. @param {(id: number) => string} show */
  refresh(show) {
    this.stops = listStops(this.steps, show);
    this.at = this.number ? findStop(this.stops, this.number) : -1;
    this.slider.max = String(this.stops.length);
    const start = this.stops.findIndex((stop) => stop.pass === "backward");
    this.slider.style.setProperty("--turn", String(start < 0 ? 1 : (start + 0.5) / this.stops.length));
    this.#write();
  }

  /** @param {number} by */
  move(by) {
    this.pause();
    const next = this.at + by;
    if (next >= 0 && next < this.stops.length) this.#setPlace(next);
  }

  /** @param {number} at */
  go(at) {
    this.pause();
    this.#setPlace(at);
  }

  /** Goes to the step of a number; whoever calls this has opened what hides it. @param {number} number */
  goTo(number) {
    this.pause();
    const at = findStop(this.stops, number);
    if (at < 0) return;
    this.#setPlace(at, number);
  }

  leave() {
    this.pause();
    this.#setPlace(-1);
  }

  toggle() {
    if (this.playing) return void this.pause();
    if (this.at >= this.stops.length - 1) this.#setPlace(0);
    const beat = () => {
      if (this.at >= this.stops.length - 1) return void this.pause();
      this.#setPlace(this.at + 1);
      this.playing = window.setTimeout(beat, PACE / this.speedFactor);
    };
    this.playing = window.setTimeout(beat, this.at < 0 ? 0 : PACE / this.speedFactor / 2);
    this.#writePlayer();
  }

  pause() {
    window.clearTimeout(this.playing);
    this.playing = 0;
    this.#writePlayer();
  }

  #writePlayer() {
    const label = this.playing ? this.words.pause : this.words.play;
    setIcon(this.player, this.playing ? "pause" : "play");
    this.player.title = label;
    this.player.setAttribute("aria-label", label);
  }

  /** @param {number} at @param {number} [number] */
  #setPlace(at, number) {
    this.at = Math.max(-1, Math.min(this.stops.length - 1, at));
    this.number = this.stop ? number ?? this.stop.first : 0;
    this.#write();
    this.on.stop(this.stop);
  }

  #write() {
    const { words, stop, steps } = this;
    this.slider.value = String(this.at + 1);
    const parts = {
      first: stop?.first ?? 0, last: stop?.last ?? 0, count: steps.length,
      pass: words[stop?.pass ?? "forward"],
    };
    const template = !stop ? words.steps_count : stop.first === stop.last ? words.step_at : words.step_span;
    this.text.textContent = fillText(template, parts);
    this.slider.setAttribute("aria-valuetext", this.text.textContent);
    this.text.classList.toggle("gm-g", stop?.pass === "backward");
    this.link.hidden = this.leaver.hidden = !stop;
  }
}

/**
 * Sends a dot along a line: down with a value, up with a gradient.
 * @param {Element} line the group of an edge's paths
 * @param {boolean} back
 * @param {number} speed
 */
export function sendDot(line, back, speed) {
  const paths = /** @type {SVGPathElement[]} */ ([...line.querySelectorAll(back ? "path.gm-d" : "path.gm-v")]);
  const lengths = paths.map((path) => path.getTotalLength());
  const most = Math.max(...lengths, 0);
  const path = paths[lengths.indexOf(most)];
  if (!path || !most) return;
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  dot.setAttribute("r", "4");
  dot.setAttribute("class", back ? "gm-dot gm-dot-back" : "gm-dot");
  line.append(dot);
  const start = performance.now();
  const time = Math.min(MOVE, PACE / 2) / speed;
  const move = (/** @type {number} */ now) => {
    const share = Math.min(1, Math.max(0, (now - start) / time));
    if (share === 1 || !dot.isConnected) return void dot.remove();
    const { x, y } = path.getPointAtLength(most * share);
    dot.setAttribute("cx", String(x));
    dot.setAttribute("cy", String(y));
    requestAnimationFrame(move);
  };
  move(start);
}

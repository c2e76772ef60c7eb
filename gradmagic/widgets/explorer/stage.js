// The window on the picture: pan, zoom and fit. Plain scrolling stays the page's.
import { locatePointer, measureZoom } from "../presenting.js";
import { make } from "../elements.js";

const LEAST_SCALE = 0.05;
const MOST_SCALE = 4;
const READABLE = 0.7; // the least scale at which a part of a graph opens: its text can be read
const READABLE_WHOLE = 0.6; // and all of it
const READABLE_LARGE = 0.91; // both, where all is shown large: text of 16 px
const LARGE = 1.2; // the least zoom of what is shown large
const MARGIN = 16; // px around the picture
const TALLEST = 0.7; // of the window
const LOWEST = 160; // px of the stage
const FAR = 4; // px that the pointer moves before a click is a drag
const ZOOM_STEP = 1.25;

/**
 * @typedef {{x: number, y: number, scale: number}} View where the picture's corner stands, in px of
 *   the stage, and how large it is
 */

/**
 * The view that shows all of a picture, never enlarged.
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} stage
 * @returns {View}
 */
export function fitView(picture, stage) {
  const scale = Math.max(LEAST_SCALE, Math.min(
    1, (stage.width - 2 * MARGIN) / picture.width, (stage.height - 2 * MARGIN) / picture.height));
  return centreView(picture, stage, scale);
}

/**
 * The view in which a graph opens: all of it where it can then be read, else its upper part.
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} stage
 * @param {number} [zoom] of the page around it
 * @returns {View}
 */
export function openView(picture, stage, zoom = 1) {
  const whole = fitView(picture, stage);
  const large = zoom > LARGE;
  if (whole.scale >= (large ? READABLE_LARGE : READABLE_WHOLE)) return whole;
  const scale = Math.max(large ? READABLE_LARGE : READABLE, Math.min(1, (stage.width - 2 * MARGIN) / picture.width));
  return { ...centreView(picture, stage, scale), y: MARGIN };
}

/** @param {{width: number, height: number}} picture @param {{width: number, height: number}} stage @param {number} scale */
function centreView(picture, stage, scale) {
  return {
    x: (stage.width - scale * picture.width) / 2,
    y: Math.max((stage.height - scale * picture.height) / 2, Math.min(MARGIN, stage.height / 4)),
    scale,
  };
}

/**
 * A view zoomed about a point that stays where it is.
 * @param {View} view
 * @param {number} factor
 * @param {{x: number, y: number}} point of the stage
 * @returns {View}
 */
export function zoomView(view, factor, point) {
  const scale = Math.max(LEAST_SCALE, Math.min(MOST_SCALE, view.scale * factor));
  const real = scale / view.scale;
  return { x: point.x - (point.x - view.x) * real, y: point.y - (point.y - view.y) * real, scale };
}

/**
 * The view held so that some of the picture is always seen.
 * @param {View} view
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} stage
 * @returns {View}
 */
export function holdView(view, picture, stage) {
  /** @param {number} at @param {number} size @param {number} room */
  const hold = (at, size, room) => {
    const seen = Math.min(80, size, room);
    return Math.max(seen - size, Math.min(room - seen, at));
  };
  return {
    x: hold(view.x, picture.width * view.scale, stage.width),
    y: hold(view.y, picture.height * view.scale, stage.height),
    scale: view.scale,
  };
}

/**
 * The view moved as little as needed for a place to be seen.
 * @param {View} view
 * @param {{x: number, y: number, width: number, height: number}} place in the picture
 * @param {{width: number, height: number}} stage
 * @param {number} [room] px to keep around it
 * @returns {View}
 */
export function revealView(view, place, stage, room = 48) {
  /** @param {number} at @param {number} start @param {number} size @param {number} whole */
  const move = (at, start, size, whole) => {
    const from = at + start * view.scale;
    const to = from + size * view.scale;
    const kept = Math.min(room, Math.max(0, (whole - size * view.scale) / 2));
    if (from >= 0 && to <= whole) return at;
    return from < 0 || size * view.scale > whole ? at + kept - from : at + whole - kept - to;
  };
  return {
    x: move(view.x, place.x, place.width, stage.width),
    y: move(view.y, place.y, place.height, stage.height),
    scale: view.scale,
  };
}

export class Stage {
  /**
   * @param {string} label what it is, for who can't see it
   * @param {AbortSignal} signal
   */
  constructor(label, signal) {
    this.canvas = make("div", { class: "gm-canvas" });
    this.element = make("div", { class: "gm-stage", role: "application", "aria-label": label }, this.canvas);
    /** @type {{width: number, height: number}} */
    this.picture = { width: 1, height: 1 };
    /** @type {View} */
    this.view = { x: 0, y: 0, scale: 1 };
    this.whole = false; // it fills the window
    this.touched = false; // the user has moved it
    this.dragged = false; // what ends now is no click
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    this.#listen(signal);
  }

  get size() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  /**
   * Takes the size of the picture; the stage is as high as it needs, within bounds.
   * @param {{width: number, height: number}} picture
   * @param {number} [scale] that it is shown at; else the one in which it opens
   */
  measure(picture, scale) {
    this.picture = { width: picture.width, height: picture.height };
    if (this.whole) return void this.element.style.removeProperty("height");
    const zoom = measureZoom(this.element);
    const most = Math.max(LOWEST, TALLEST * window.innerHeight / zoom);
    const width = this.element.clientWidth;
    scale ??= openView(this.picture, { width, height: most }, zoom).scale;
    const height = Math.max(LOWEST, Math.min(most, picture.height * scale + 2 * MARGIN));
    this.element.style.height = `${Math.round(height)}px`;
  }

  /** @param {View} view */
  setView(view) {
    this.view = holdView(view, this.picture, this.size);
    const { x, y, scale } = this.view;
    this.canvas.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px) scale(${scale.toFixed(4)})`;
  }

  open() {
    this.touched = false;
    this.measure(this.picture);
    this.setView(openView(this.picture, this.size, measureZoom(this.element)));
  }

  fit() {
    this.touched = true;
    this.setView(fitView(this.picture, this.size));
  }

  /** @param {number} by 1 larger, -1 smaller */
  zoom(by) {
    const { width, height } = this.size;
    this.touched = true;
    this.setView(zoomView(this.view, ZOOM_STEP ** by, { x: width / 2, y: height / 2 }));
  }

  /** One px of the picture is one of the screen. */
  zoomFull() {
    const { width, height } = this.size;
    this.touched = true;
    this.setView(zoomView(this.view, 1 / this.view.scale, { x: width / 2, y: height / 2 }));
  }

  /** @param {number} dx @param {number} dy px */
  pan(dx, dy) {
    this.touched = true;
    this.setView({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  /** @param {{x: number, y: number, width: number, height: number} | null} place in the picture */
  reveal(place) {
    if (!place || !this.element.clientWidth) return;
    const view = revealView(this.view, place, this.size);
    if (view.x === this.view.x && view.y === this.view.y) return;
    this.touched = true;
    this.setView(view);
  }

  /**
   * The picture has changed: its point `before` is now at `after` and stays where it was on the
   * screen. What has grown wider than the stage is drawn smaller, as far as it can still be read.
   * Where all of it can be seen it stands in the middle; who has not moved it sees it anew.
   * @param {{width: number, height: number}} picture
   * @param {{x: number, y: number} | null} [before]
   * @param {{x: number, y: number} | null} [after]
   */
  takeIn(picture, before = null, after = null) {
    if (!this.element.clientWidth) return void (this.picture = { width: picture.width, height: picture.height });
    const { x, y, scale } = this.view;
    this.measure(picture);
    if (!this.touched && (!before || fitView(this.picture, this.size).scale >= READABLE_WHOLE)) return this.open();
    this.measure(picture, scale);
    const { width, height } = this.size;
    if (picture.width * scale <= width - MARGIN && picture.height * scale <= height) {
      return this.setView(centreView(this.picture, this.size, scale));
    }
    const room = (width - 2 * MARGIN) / picture.width;
    const smaller = before && after ? Math.min(scale, Math.max(READABLE_WHOLE, room)) : scale;
    const whole = picture.width * smaller <= width - MARGIN;
    const top = y + (before?.y ?? 0) * scale - (after?.y ?? 0) * smaller;
    this.setView({
      x: whole ? centreView(this.picture, this.size, smaller).x : x + (before?.x ?? 0) * scale - (after?.x ?? 0) * smaller,
      y: picture.height * smaller > height - 2 * MARGIN ? Math.min(MARGIN, top) : top,
      scale: smaller,
    });
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { element } = this;
    element.addEventListener("wheel", (event) => this.#wheel(event), { signal, passive: false });
    element.addEventListener("pointerdown", (event) => this.#press(event), { signal });
    element.addEventListener("pointermove", (event) => this.#move(event), { signal });
    for (const name of ["pointerup", "pointercancel"]) {
      element.addEventListener(name, (event) => {
        this.pointers.delete(/** @type {PointerEvent} */ (event).pointerId);
        if (!this.pointers.size) element.classList.remove("gm-grabbed");
      }, { signal });
    }
  }

  /** @param {{clientX: number, clientY: number}} event */
  #locate(event) {
    return locatePointer(event, this.element);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.ctrlKey || event.metaKey) {
      this.touched = true;
      this.setView(zoomView(this.view, Math.exp(-Math.max(-120, Math.min(120, dy)) / 300), this.#locate(event)));
    } else if (this.whole) this.pan(-dx, -dy);
    else if (Math.abs(dx) > Math.abs(dy) && this.picture.width * this.view.scale > this.size.width) this.pan(-dx, 0);
    else return; // the page scrolls
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    if (!this.pointers.size) this.dragged = false;
    this.pointers.set(event.pointerId, this.#locate(event));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (event.pointerType === "mouse" && !event.buttons) return void this.pointers.delete(event.pointerId);
    const now = this.#locate(event);
    if (!this.dragged && Math.hypot(now.x - before.x, now.y - before.y) < FAR) return;
    if (!this.dragged) {
      this.dragged = true;
      this.element.setPointerCapture(event.pointerId);
      this.element.classList.add("gm-grabbed");
    }
    this.touched = true;
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) { // two fingers: their distance zooms
      const factor = Math.hypot(now.x - other.x, now.y - other.y) / Math.hypot(before.x - other.x, before.y - other.y);
      this.setView(zoomView(this.view, factor || 1, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }));
    }
    const part = other ? 2 : 1;
    this.pan((now.x - before.x) / part, (now.y - before.y) / part);
  }
}

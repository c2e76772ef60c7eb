import assert from "node:assert/strict";
import test from "node:test";

import { addPresenting, locatePointer, measureZoom } from "../gradmagic/widgets/presenting.js";
import { openView } from "../gradmagic/widgets/explorer/stage.js";

/** An element of a width in its own px, shown at a place and in a width of the screen. */
const place = (own, left, top, width) =>
  ({ offsetWidth: own, getBoundingClientRect: () => ({ left, top, width }) });

test("the zoom is the screen's px for each of its own", () => {
  assert.equal(measureZoom(place(200, 0, 0, 320)), 1.6);
  assert.equal(measureZoom(place(200, 0, 0, 200)), 1);
});

test("what is not shown has no zoom", () => {
  assert.equal(measureZoom(place(0, 0, 0, 0)), 1);
});

test("a pointer is placed in the element's own px", () => {
  assert.deepEqual(locatePointer({ clientX: 180, clientY: 90 }, place(200, 20, 10, 320)), { x: 100, y: 50 });
  assert.deepEqual(locatePointer({ clientX: 180, clientY: 90 }, place(320, 20, 10, 320)), { x: 160, y: 80 });
});

test("a large graph opens no smaller than its text can be read from afar", () => {
  const picture = { width: 900, height: 900 };
  const stage = { width: 700, height: 400 };
  assert.equal(openView(picture, stage).scale, 668 / 900);
  assert.equal(openView(picture, stage, 1.6).scale, 0.91);
  assert.equal(openView({ width: 300, height: 300 }, stage, 1.6).scale, 1); // all of it
});

/** A widget's model, which tells what changes. */
class Model extends EventTarget {
  constructor(values) {
    super();
    this.values = values;
    this.hearers = new Map();
    this.saved = 0;
  }
  get(name) { return this.values[name]; }
  set(name, value) { this.values[name] = value; this.hearers.get(`change:${name}`)?.forEach((hear) => hear()); }
  save_changes() { this.saved += 1; }
  on(name, hear) { this.hearers.set(name, (this.hearers.get(name) ?? new Set()).add(hear)); }
  off(name, hear) { this.hearers.get(name)?.delete(hear); }
}

/** The classes of an element. */
const makePlace = () => {
  const names = new Set();
  return { names, classList: { toggle: (name, on) => (on ? names.add(name) : names.delete(name)) } };
};

test("all views of a widget follow it, until they end", () => {
  const model = new Model({ large: true, grey: false, switch: "" });
  const [one, other] = [makePlace(), makePlace()];
  const ends = [new AbortController(), new AbortController()];
  addPresenting(one, null, model, ends[0].signal);
  addPresenting(other, null, model, ends[1].signal);
  assert.deepEqual([...one.names, ...other.names], ["gm-large", "gm-large"]);
  model.set("grey", true);
  model.set("large", false);
  assert.deepEqual([...one.names, ...other.names], ["gm-grey", "gm-grey"]);
  ends[0].abort();
  model.set("grey", false);
  assert.deepEqual([[...one.names], [...other.names]], [["gm-grey"], []]);
});

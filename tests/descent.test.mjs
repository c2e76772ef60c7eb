import assert from "node:assert/strict";
import { test } from "node:test";

import makeDescent, { findInterrupt } from "../gradmagic/widgets/descent.js";
import { drawBins, tintCell, writeScalar } from "../gradmagic/widgets/descent/cells.js";
import { findNearest, placeX, placeY, readArray, thinPlaces } from "../gradmagic/widgets/descent/finding.js";
import { chooseFrame, isSteep, listMarks, Story, tracePath, writeTime } from "../gradmagic/widgets/descent/running.js";

const frame = { x: [0, 10], y: [0.01, 100], log: true, left: 50, top: 10, width: 100, height: 80 };

test("the nearest kept step is found, also from outside", () => {
  const steps = [0, 3, 4, 20, 99];
  for (const [step, at] of [[-5, 0], [0, 0], [1, 0], [2, 1], [3, 1], [11, 2], [13, 3], [60, 4], [1000, 4]]) {
    assert.equal(findNearest(steps, step), at, `step ${step}`);
  }
  assert.equal(findNearest([7], 3), 0);
});

test("places in a picture follow its axes", () => {
  assert.equal(placeX(frame, 5), 100);
  assert.equal(placeY(frame, 100), 10);
  assert.equal(placeY(frame, 0.01), 90);
  assert.equal(placeY(frame, 1), 50); // half way, in powers of ten
  assert.equal(placeY(frame, 1e9), 10); // no further than the edge
  assert.equal(placeY(frame, 0), null);
  assert.equal(placeY(frame, NaN), null);
  assert.equal(placeY({ ...frame, y: [0, 4], log: false }, 1), 70);
});

test("arrays are read where the header says, aligned or not", () => {
  const bytes = new Uint8Array(14);
  bytes.set([1, 2, 253], 0);
  bytes.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), 5);
  assert.deepEqual([...readArray(bytes.buffer, 0, [0, 3, "b"])], [1, 2, -3]);
  assert.deepEqual([...readArray(bytes.buffer, 0, [0, 3, "B"])], [1, 2, 253]);
  assert.deepEqual([...readArray(bytes.buffer, 1, [4, 2, "f"])], [1.5, -2]);
});

test("a thinned curve keeps its ends and its extremes", () => {
  const values = Array.from({ length: 10_000 }, (_, i) => Math.sin(i / 50));
  values[4321] = 17;
  values[8000] = -9;
  values[5] = NaN;
  const places = thinPlaces(values, 400);
  assert.ok(places.length <= 400);
  for (const place of [0, 4321, 8000, 9999]) assert.ok(places.includes(place), `${place}`);
  assert.deepEqual(places, [...new Set(places)].sort((a, b) => a - b));
  assert.deepEqual(thinPlaces([3, 1, 2]), [0, 1, 2]);
});

test("a curve breaks where a loss is no number", () => {
  const path = tracePath({ ...frame, x: [0, 3] }, [1, NaN, 1, 1]);
  assert.equal((path.match(/M/g) ?? []).length, 2);
  assert.ok(!path.includes("NaN"));
});

test("axes hold all finite values", () => {
  assert.equal(chooseFrame([[NaN, Infinity]], 5, false, 100), null);
  assert.equal(chooseFrame([[-1, 0]], 5, true, 100), null);
  const both = chooseFrame([[1, 2], [8, NaN]], 5, false, 100);
  assert.ok(both.y[0] === 0 && both.y[1] > 8);
  assert.deepEqual(both.x, [0, 4]);
  assert.ok(isSteep([100, 1]) && !isSteep([2, 1]) && !isSteep([100, -1]) && !isSteep([]));
});

test("round numbers stand at the axis, also below 0", () => {
  assert.deepEqual(listMarks({ y: [-2.53, 61.5], log: false }), [0, 20, 40, 60]);
  assert.deepEqual(listMarks({ y: [-1.2, -0.1], log: false }), [-1, -0.5]);
  assert.deepEqual(listMarks({ y: [0.05, 200], log: true }), [0.1, 1, 10, 100]);
  assert.deepEqual(listMarks({ y: [1.5, 3.2], log: true }), [1.5, 2, 2.5, 3]); // no power of ten
});

test("a story puts news behind what is known, and leaves a gap where some was missed", () => {
  const story = new Story();
  const send = (from, rows) => story.hear(
    { kind: "progress", run: 0, runs: 1, rate: 0.1, names: ["w"], from, done: from + rows.length, steps: 9 },
    new DataView(new Float32Array(rows.flat()).buffer),
  );
  send(0, [[4, 0.1, 2], [3, 0.1, 1]]);
  send(2, [[2, 0.1, 0.5]]);
  send(5, [[1, 0.2, 0.25]]);
  const [run] = story.runs;
  assert.deepEqual([run.losses[0], run.losses[2], run.losses[3], run.losses[5]], [4, 2, undefined, 1]);
  assert.equal(run.norms[0][5], 0.25);
  assert.equal(story.stopping, false);
  story.hear({ kind: "stopping" });
  assert.equal(story.stopping, true);
});

test("cells are tinted by the root of their size", () => {
  assert.deepEqual(tintCell(-0.25, 1), ["n", 50]);
  assert.deepEqual(tintCell(1e-9, 1), ["p", 1]);
  assert.deepEqual(tintCell(0, 1), ["z", 0]);
  assert.deepEqual(tintCell(NaN, 1), ["x", 100]);
  assert.equal(writeScalar(1.5), "1.5");
  assert.equal(writeScalar(-0.001), "\u22120.001");
  assert.equal(writeScalar(0), "0");
});

test("a histogram stands on its ground", () => {
  assert.equal(drawBins(Uint8Array.of(255, 0), 10, 20), "M0 20V0.0H5.0V20.0H10.0V20z");
});

test("times are written in the unit that suits them", () => {
  const words = { seconds: "{count} s", minutes: "{count} min", hours: "{count} h" };
  assert.equal(writeTime(3.2, words), "4 s");
  assert.equal(writeTime(300, words), "5 min");
  assert.equal(writeTime(8000, words), "3 h");
  assert.equal(writeTime(Infinity, words), "");
});

test("the kernel is interrupted where the front-end lets a widget do that", () => {
  let interrupted = 0;
  const kernel = { interrupt: () => (interrupted += 1) };
  findInterrupt({ widget_manager: { kernel } })?.();
  findInterrupt({ widget_manager: { context: { sessionContext: { session: { kernel } } } } })?.();
  assert.equal(interrupted, 2);
  assert.equal(findInterrupt({ widget_manager: {} }), null);
  assert.equal(findInterrupt({}), null);
});

test("each widget has a story of its own", () => {
  const [one, other] = [makeDescent(), makeDescent()];
  assert.notEqual(one.render, other.render);
  assert.deepEqual(Object.keys(one), ["initialize", "render"]);
});

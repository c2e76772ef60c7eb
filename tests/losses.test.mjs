// The pure parts of the sidebar's script.
import assert from "node:assert/strict";
import test from "node:test";

import { nameFlaw, nameState } from "../gradmagic/widgets/sidebar/claims.js";
import { listMarks, makeScale } from "../gradmagic/widgets/sidebar/curves.js";
import { fillTemplate, fillText } from "../gradmagic/widgets/elements.js";
import { breakLines, listTicks } from "../gradmagic/widgets/sidebar/plot.js";
import { Questions } from "../gradmagic/widgets/sidebar/questions.js";
import { sortOrder } from "../gradmagic/widgets/sidebar/samples.js";
import { moveThumb } from "../gradmagic/widgets/sidebar/sliders.js";
import { Table, readBlock } from "../gradmagic/widgets/sidebar/tables.js";

const SCALARS = ["crossentropy", "state"];

/** Two classes, three positions of each logit, two of confidence, one of smoothing, two classes. */
function makeTable() {
  const counts = [3, 3, 2, 1, 2];
  const kinds = ["logit", "logit", "confidence", "smoothing", "class"];
  const rows = counts.reduce((a, b) => a + b);
  const width = 3 * 2 + SCALARS.length;
  const values = Array.from({ length: rows * width }, (_, i) => i);
  const targets = [0.1, 0.9, 1, 0, 0, 1];
  const positions = [[-1, 0, 2], [-3, 1, 3], [0, 1], [0], [0, 1]];
  const block = [values, targets, [0, 1], [2, 1], ...positions, [0, 0, 2, 1], [0.5]].flat();
  let start = 0;
  const sliders = counts.map((count, i) => {
    const slider = { kind: kinds[i], number: i < 2 ? i : null, count, at: i === 2 ? 1 : 0, start, stuck: [], right: [] };
    start += count;
    return slider;
  });
  const header = { sample: 7, moved: false, shown: [0, 1], true_class: 1, rows, target_rows: 3, margins: 1, sliders };
  return { table: new Table(header, new Float32Array(block), SCALARS), width };
}

test("a table looks up what was packed", () => {
  const { table, width } = makeTable();
  assert.equal(table.find(1, 2, "crossentropy"), (3 + 2) * width + 6);
  assert.equal(table.find(0, 0, "state"), 7);
  assert.throws(() => table.find(0, 0, "losses"), /no column losses/);
  assert.deepEqual(table.findClass(1, 0, 1), { probability: 3 * width + 1, crossentropy: 3 * width + 3, mse: 3 * width + 5 });
  assert.deepEqual([...table.findTarget(0, 2)], [0, 1]);
  assert.deepEqual([...table.findTarget(3, 0)].map((x) => x.toFixed(1)), ["0.1", "0.9"]);
  assert.deepEqual([...table.findTarget(4, 1)], [0, 1]);
  assert.deepEqual([...table.findLogits(0, 0)], [-1, 1]);
  assert.deepEqual([...table.findLogits(2, 1)], [2, 1]);
  assert.deepEqual([...table.findLogits(2, 0)], [0, 0]);
  assert.equal(table.findTrueClass(4, 0), 0);
  assert.equal(table.findTrueClass(0, 0), 1);
  assert.equal(table.findTrueSlider(), 1);
});

test("the nearest position", () => {
  const { table } = makeTable();
  assert.equal(table.findNearest(0, -5), 0);
  assert.equal(table.findNearest(0, 0.9), 1);
  assert.equal(table.findNearest(0, 1.1), 2);
  assert.equal(table.findNearest(0, 99), 2);
  assert.equal(table.findNearest(3, 4), 0);
});

test("a block is read from base64 and from unaligned views", () => {
  const numbers = new Float32Array([1.5, -2, 3]);
  const bytes = new Uint8Array(numbers.buffer);
  assert.deepEqual([...readBlock(Buffer.from(bytes).toString("base64"))], [1.5, -2, 3]);
  const shifted = new Uint8Array(13);
  shifted.set(bytes, 1);
  assert.deepEqual([...readBlock(new DataView(shifted.buffer, 1))], [1.5, -2, 3]);
});

test("states and flaws have their names", () => {
  assert.deepEqual([0, 1, 2, 3].map((state) => nameState(state, 0.5)), ["unsure", "wrong", "stuck", "undecided"]);
  assert.equal(nameState(0, 0.95), "right");
  assert.equal(nameFlaw(16.1, 0, -1), "clipped");
  assert.equal(nameFlaw(Infinity, NaN, -1), "log");
  assert.equal(nameFlaw(NaN, NaN, -1), "gradient");
  assert.equal(nameFlaw(0, 0, 0), null);
});

test("sentences are filled in", () => {
  assert.equal(fillText("{a} of {b} {c}", { a: 1, b: "two" }), "1 of two {c}");
  assert.deepEqual(fillTemplate("x {a}, {b}", { a: "1" }), ["x ", "1", ", ", "{b}", ""]);
  assert.equal(fillText("$& {a}", { a: "$&" }), "$& $&");
});

test("rows are sorted, missing numbers last", () => {
  assert.deepEqual(sortOrder([2, null, 3, 1], false), [3, 0, 2, 1]);
  assert.deepEqual(sortOrder([2, null, 3, 1], true), [2, 0, 3, 1]);
  assert.deepEqual(sortOrder([1, 1, 1], true), [0, 1, 2]);
});

test("keys move a thumb, and stop at the ends", () => {
  assert.equal(moveThumb("ArrowRight", 3, 5), 4);
  assert.equal(moveThumb("ArrowRight", 4, 5), 4);
  assert.equal(moveThumb("ArrowDown", 0, 5), 0);
  assert.equal(moveThumb("PageUp", 3, 50), 11);
  assert.equal(moveThumb("End", 0, 5), 4);
  assert.equal(moveThumb("Tab", 0, 5), null);
});

test("axes have a few round numbers", () => {
  assert.deepEqual(listTicks(0.55), [0, 0.2, 0.4]);
  assert.deepEqual(listTicks(20.6), [0, 10, 20]);
  assert.deepEqual(listTicks(1), [0, 0.5, 1]);
  assert.deepEqual(listTicks(NaN), [0]);
  for (const top of [1e-6, 0.03, 7, 121.7, 4e5]) {
    const ticks = listTicks(top);
    assert.ok(ticks.length >= 2 && ticks.length <= 4, `${top}: ${ticks}`);
    assert.ok(ticks.at(-1) <= top * 1.001);
  }
});

test("a confidence's scale goes there and back", () => {
  const { toScreen, toValue } = makeScale("confidence");
  for (const value of [-9, -0.25, 0, 1, 16]) assert.ok(Math.abs(toValue(toScreen(value)) - value) < 1e-12);
  assert.equal(toScreen(16), 4);
  assert.equal(makeScale("logit").toScreen(-3), -3);
});

test("marks are written without spare zeros", () => {
  const slider = { kind: "logit", positions: new Float32Array([-12, 0, 12]), count: 3 };
  assert.deepEqual(listMarks(slider).map(([, text]) => text), ["\u221212", "\u22126", "0", "6", "12"]);
  const smoothing = { kind: "smoothing", positions: new Float32Array([0, 0.9]), count: 2 };
  assert.deepEqual(listMarks(smoothing).map(([, text]) => text), ["0", "0.3", "0.6", "0.9"]);
});

test("lines are broken at blanks, and in Chinese anywhere", () => {
  assert.deepEqual(breakLines("wrong yet MSE is stuck", 9), ["wrong yet", "MSE is", "stuck"]);
  assert.deepEqual(breakLines("均方误差停滞", 8), ["均方误差", "停滞"]);
  assert.deepEqual(breakLines("答错，但 MSE 停滞", 6), ["答错，", "但 MSE", "停滞"]); // no mark begins a line
});

test("questions never queue up: the last one counts", () => {
  const sent = [];
  const questions = new Questions((question) => sent.push(question), () => {});
  for (const position of [1, 2, 3]) questions.ask({ kind: "move", sample: 0, position });
  assert.deepEqual(sent.map((one) => one.position), [1]);
  assert.ok(questions.isPending());
  questions.close(99); // an answer to something else
  assert.equal(sent.length, 1);
  questions.close(1);
  assert.deepEqual(sent.map((one) => one.position), [1, 3]);
  questions.close(2);
  assert.equal(questions.isPending(), false);
  assert.equal(sent.length, 2);
});

test("a move does not replace another sample that was asked for", () => {
  const sent = [];
  const questions = new Questions((question) => sent.push(question), () => {});
  questions.ask({ kind: "move", sample: 0, position: 1 });
  questions.ask({ kind: "sample", sample: 4 });
  questions.ask({ kind: "move", sample: 0, position: 2 });
  assert.equal(questions.findSample(), 4);
  questions.close(1);
  assert.equal(sent[1].sample, 4);
  questions.stop();
});

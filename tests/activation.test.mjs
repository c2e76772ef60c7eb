// The pure parts of the script of activations.
import assert from "node:assert/strict";
import test from "node:test";

import { drawTangent } from "../gradmagic/widgets/activations/chart.js";
import {
  Curves, SoftmaxTable, findSaturated, findTint, movePoint, readNumbers, sayShare,
} from "../gradmagic/widgets/activations/numbers.js";
import { PowerScale } from "../gradmagic/widgets/activations/stack.js";

test("curves look up what was packed", () => {
  // three points, two layers, two functions
  const block = new Float64Array([-1, 0, 1, ...[10, NaN, 12], ...[1, 2, 3], ...[4, 5, 6], ...[20, 21, 22], ...[7, 8, 9], ...[0, 0, 1]]);
  const curves = new Curves(block, 3, 2);
  assert.deepEqual([...curves.x], [-1, 0, 1]);
  assert.deepEqual([...curves.values(0)], [10, NaN, 12]);
  assert.deepEqual([...curves.values(1)], [20, 21, 22]);
  assert.deepEqual([...curves.slopes(1)], [7, 8, 9]);
  assert.deepEqual([...curves.drawnSlopes(0)], [1, NaN, 3]);
  assert.equal(curves.chain(0, 2, 2), 6);
  assert.equal(curves.chain(1, 1, 0), 7);
});

test("softmax is found by the two differences", () => {
  const positions = 3; // differences -2 .. 2
  const count = 5;
  const block = new Float32Array(12 * count ** 2);
  for (let i = 0; i < count ** 2; i += 1) {
    block[3 * i] = i;
    block[3 * count ** 2 + 9 * i] = 100 + i;
  }
  const table = new SoftmaxTable(block, positions);
  assert.equal(table.lookUp([1, 1, 1]).probabilities[0], 12); // no difference: the middle
  assert.equal(table.lookUp([0, 0, 0]).jacobian[0], 112);
  assert.equal(table.lookUp([0, 0, 2]).probabilities[0], 0); // both two below the third
  assert.equal(table.lookUp([2, 0, 0]).probabilities[0], 4 * count + 2);
  assert.equal(table.lookUp([2, 2, 0]).probabilities[0], count ** 2 - 1);
  assert.equal(table.lookUp([2, 2, 0]).probabilities.length, 3);
  assert.equal(table.lookUp([2, 2, 0]).jacobian.length, 9);
});

test("numbers come as base64 and as a view that is not aligned", () => {
  const numbers = new Float64Array([1.5, -2]);
  const text = btoa(String.fromCharCode(...new Uint8Array(numbers.buffer)));
  assert.deepEqual(readNumbers(text, Float64Array), numbers);
  const shifted = new Uint8Array(17);
  shifted.set(new Uint8Array(numbers.buffer), 1);
  assert.deepEqual(readNumbers(new DataView(shifted.buffer, 1, 16), Float64Array), numbers);
});

test("saturated stretches end half-way to what is not", () => {
  const x = [0, 1, 2, 3, 4];
  assert.deepEqual(findSaturated(x, [0, 0, 1, 0, 0], 0.5), [[0, 1.5], [2.5, 4]]);
  assert.deepEqual(findSaturated(x, [1, -0.1, NaN, 0.1, 1], 0.5), [[0.5, 1.5], [2.5, 3.5]]);
  assert.deepEqual(findSaturated(x, [1, 1, 1, 1, 1], 0.5), []);
  assert.deepEqual(findSaturated(x, [0, 0, 0, 0, 0], 0.5), [[0, 4]]);
});

test("keys move the point, and stop at the ends", () => {
  assert.equal(movePoint({ key: "ArrowRight" }, 5, 10), 6);
  assert.equal(movePoint({ key: "ArrowLeft", shiftKey: true }, 5, 100), 0);
  assert.equal(movePoint({ key: "ArrowUp", shiftKey: true }, 5, 100), 15);
  assert.equal(movePoint({ key: "Home" }, 5, 10), 0);
  assert.equal(movePoint({ key: "End" }, 5, 10), 9);
  assert.equal(movePoint({ key: "a" }, 5, 10), null);
});

test("shares are never 0 or all where they are not", () => {
  assert.deepEqual([0, 1e-5, 0.375, 0.99999, 1].map(sayShare),
    ["0.0 %", "< 0.1 %", "37.5 %", "> 99.9 %", "100.0 %"]);
});

test("a tangent has the slope and the length that it should", () => {
  const frame = { left: 0, upper: 0, width: 300, height: 200 };
  /** @param {string} line */
  const read = (line) => /** @type {string[]} */ (line.match(/[\d.-]+/g)).map(Number);
  const [x1, y1, x2, y2] = read(drawTangent(100, 50, 0.75, 50, frame));
  assert.ok(Math.abs((y1 - y2) / (x2 - x1) - 0.75) < 0.01); // y points down
  assert.ok(Math.abs(Math.hypot(x2 - x1, y2 - y1) - 100) < 0.2);
  assert.equal(drawTangent(0, 0, NaN, 50, frame), "");
  assert.deepEqual(read(drawTangent(100, 190, 0, 50, frame)), [50, 190, 150, 190]);
  assert.deepEqual(read(drawTangent(290, 190, 1, 71, frame)), [280, 200, 300, 180]); // cut at both ends
});

test("the scale of powers keeps what is beyond its ends on them", () => {
  const scale = new PowerScale(10, 96);
  assert.ok(Math.abs(scale.place(1) - 16) < 1e-9);
  assert.ok(Math.abs(scale.place(1e-9) - 106) < 1e-9);
  assert.equal(scale.place(0), scale.place(1e-9));
  assert.equal(scale.place(1e-30), scale.place(1e-9));
  assert.equal(scale.place(1e30), 10);
});

test("tints are the root of the size", () => {
  assert.deepEqual(findTint(0.25, 0.25), { kind: "p", share: 100 });
  assert.deepEqual(findTint(-0.0625, 0.25), { kind: "n", share: 50 });
  assert.deepEqual(findTint(0, 0.25), { kind: "z", share: 0 });
  assert.equal(findTint(NaN, 0.25).kind, "x");
});

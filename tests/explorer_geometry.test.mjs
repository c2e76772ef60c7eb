// Where things move when groups open: numbers only, no page.
import assert from "node:assert/strict";
import test from "node:test";

import {
  HEADROOM, PADDING, arrange, frameSize, parsePath, shiftAcross, shiftDown, writePath,
} from "../gradmagic/widgets/explorer/geometry.js";

/** Repeatable numbers between 0 and 1. */
function makeChance(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

const PATHS = [
  "M305 48V111",
  "M312 48V53Q312 63 302 63H275Q265 63 265 73V111Q265 121 275 121H280",
  "M201 626V621Q201 611 211 611H230Q240 611 240 601V567",
  "M379 48V147Q379 155 371 155",
  "M365 158H378Q382 158 382 162V165",
];

test("path data are read and written without loss", () => {
  for (const data of PATHS) assert.equal(parsePath(data).map(writePath).join(""), data);
  const head = "M305 117L301.8 111H308.2";
  assert.equal(parsePath(head).map(writePath).join(""), head);
  const strokes = "M10 20L15 22M10 28L15 30";
  assert.equal(parsePath(strokes).map(writePath).join(""), strokes);
});

test("a rounded corner is one corner with its radius", () => {
  assert.deepEqual(parsePath("M0 0V40Q0 50 10 50H30"), [[
    { x: 0, y: 0, radius: 0 }, { x: 0, y: 50, radius: 10 }, { x: 30, y: 50, radius: 0 },
  ]]);
});

test("two corners without room between share what there is", () => {
  const line = [[0, 0, 0], [0, 20, 10], [12, 20, 10], [12, 40, 0]].map(([x, y, radius]) => ({ x, y, radius }));
  assert.equal(writePath(line), "M0 0V14Q0 20 6 20Q12 20 12 26V40");
});

test("space goes to both borders of an open group, and what is within keeps its place in it", () => {
  const shift = shiftAcross([{ x: 100, width: 40, extra: 60 }]);
  assert.deepEqual([0, 80, 81, 100, 120, 121, 500].map(shift), [0, 0, 30, 30, 30, 60, 60]);
});

test("groups above each other share their space", () => {
  const group = { x: 100, width: 40, extra: 60 };
  assert.equal(shiftAcross([group, group, { x: 100, width: 80, extra: 100 }])(Infinity), 100);
});

test("whatever is open, there is room at both sides and nothing changes its order", () => {
  const chance = makeChance(5);
  for (let round = 0; round < 200; round++) {
    const open = Array.from({ length: 1 + Math.floor(chance() * 5) }, () => (
      { x: 400 * chance(), width: 96 + 200 * chance(), extra: 500 * chance() }
    ));
    const shift = shiftAcross(open);
    for (const { x, width, extra } of open) {
      assert.ok(shift(x) - shift(x - width / 2) >= extra / 2 - 1e-6);
      assert.ok(shift(x + width / 2 + 0.01) - shift(x) >= extra / 2 - 1e-6);
    }
    for (let x = -400; x < 900; x += 7) assert.ok(shift(x) <= shift(x + 7));
  }
});

test("a row moves what is below it by its highest group, once", () => {
  const shift = shiftDown([
    { y: 100, height: 44, extra: 50 }, { y: 100, height: 44, extra: 200 }, { y: 300, height: 44, extra: 10 },
  ]);
  assert.deepEqual([100, 122, 123, 322, 400].map(shift), [0, 0, 200, 200, 210]);
});

test("a frame has room for its title and for what is inside", () => {
  assert.deepEqual(frameSize({ width: 200, height: 300 }, 150), {
    width: 200 + 2 * PADDING, height: HEADROOM + 300 + PADDING,
  });
  assert.equal(frameSize({ width: 20, height: 300 }, 150).width, 150);
});

// Two groups side by side under a wide node; one of them also feeds a node at its side.
const LEVEL = {
  width: 400,
  height: 300,
  nodes: [
    { id: 0, x: 200, y: 22, width: 300, height: 44, group: null },
    { id: 10, x: 100, y: 122, width: 120, height: 44, group: 0 },
    { id: 11, x: 300, y: 122, width: 120, height: 44, group: 1 },
    { id: 2, x: 300, y: 222, width: 120, height: 44, group: null },
  ],
  wires: [
    { from: 0, to: 10, xs: [100] },
    { from: 0, to: 11, xs: [300] },
    { from: 11, to: 2, xs: [300] },
    { from: 10, to: 2, xs: [100, 240] }, // enters from the side
  ],
};
const LINES = ["M100 48V90", "M300 48V90", "M300 148V190", "M100 148V212Q100 222 110 222H230"];
const HEAD = "M236 222L230 218.8V225.2z";
const open = (...groups) => arrange(LEVEL, new Map(groups));

test("with nothing open all stays", () => {
  const { width, height, movePath, boxes } = open();
  assert.deepEqual([width, height], [400, 300]);
  LEVEL.wires.forEach((wire, i) => assert.equal(movePath(wire, LINES[i]), LINES[i]));
  assert.equal(movePath(LEVEL.wires[3], HEAD), HEAD);
  assert.deepEqual(boxes.get(2), { left: 240, right: 360, top: 200, height: 44 });
});

test("below an open group lines begin at its frame, beside it at their own node", () => {
  const { width, height, movePath, boxes } = open([0, { width: 220, height: 344 }]);
  assert.deepEqual([width, height], [500, 600]);
  assert.deepEqual(boxes.get(10), { left: 40, right: 260, top: 100, height: 344 });
  assert.deepEqual(boxes.get(11), { left: 340, right: 460, top: 100, height: 44 });
  // a corner and an end at a node's side move with that node
  assert.equal(movePath(LEVEL.wires[3], LINES[3]), "M150 448V512Q150 522 160 522H330");
  assert.equal(movePath(LEVEL.wires[3], HEAD), "M336 522L330 518.8V525.2z");
  assert.equal(movePath(LEVEL.wires[2], LINES[2]), "M400 148V490");
  assert.equal(movePath(LEVEL.wires[1], LINES[1]), "M400 48V90");
});

test("a wide node grows so that its lines still end at it", () => {
  const { boxes } = open([0, { width: 420, height: 144 }], [1, { width: 320, height: 444 }]);
  const { left, right } = boxes.get(0);
  const ends = [boxes.get(10), boxes.get(11)].map((box) => (box.left + box.right) / 2);
  assert.ok(left <= ends[0] - 22 && right >= ends[1] + 22);
  assert.ok(boxes.get(10).right < boxes.get(11).left);
});

test("a node stays over its only line, though its middle lies beyond where space was put in", () => {
  const level = {
    ...LEVEL,
    nodes: [
      ...LEVEL.nodes,
      { id: 3, x: 170, y: 22, width: 120, height: 44, group: null },
      { id: 4, x: 150, y: 322, width: 120, height: 44, group: null },
    ],
    wires: [...LEVEL.wires, { from: 3, to: 10, xs: [150] }, { from: 11, to: 4, xs: [300, 190] }],
  };
  const { boxes, movePath } = arrange(level, new Map([[0, { width: 220, height: 344 }]]));
  assert.deepEqual(boxes.get(3), { left: 160, right: 280, top: 0, height: 44 });
  assert.deepEqual(boxes.get(4), { left: 190, right: 310, top: 600, height: 44 });
  assert.equal(movePath(level.wires[4], "M150 48V90"), "M200 48V90");
});

test("two open groups in a row do not overlap, and the row is as high as the higher", () => {
  const { height, boxes } = open([0, { width: 420, height: 144 }], [1, { width: 320, height: 444 }]);
  assert.equal(height, 300 + 400);
  assert.ok(boxes.get(11).left - boxes.get(10).right >= 300 - 60 - (100 + 60));
  assert.equal(boxes.get(2).top, 200 + 400);
});

test("a label stays under its node while a neighbour is open, where there is room", () => {
  const label = { x: 300, y: 160, left: 40, right: 60, from: 11, start: 300 };
  const { moveLabel } = open([0, { width: 220, height: 344 }]);
  assert.deepEqual(moveLabel(label), { x: 100, y: 0 });
  assert.deepEqual(moveLabel({ ...label, right: 90 }), { x: 100, y: 300 });
  assert.deepEqual(moveLabel({ ...label, start: 280 }), { x: 100, y: 300 });
  assert.deepEqual(moveLabel({ ...label, x: 100, from: 10, start: 100 }), { x: 50, y: 300 });
});

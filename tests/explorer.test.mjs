// The pure parts of widgets/explorer: paths, steps, search, the stage's views, keys, questions.
import assert from "node:assert/strict";
import test from "node:test";

import { Kernel, nameQuestion } from "../gradmagic/widgets/explorer/kernel.js";
import { nameAct } from "../gradmagic/widgets/explorer/keys.js";
import { isInside } from "../gradmagic/widgets/explorer/lighting.js";
import { chooseExplorer } from "../gradmagic/widgets/explorer/links.js";
import { Newest, mergeDocument, nameEntry, replaceNumbers } from "../gradmagic/widgets/explorer/nudging.js";
import { splitCode } from "../gradmagic/widgets/explorer/panel.js";
import { findNext, findPaths, liftEdges, linkEdges } from "../gradmagic/widgets/explorer/paths.js";
import { readKey } from "../gradmagic/widgets/explorer/pointing.js";
import { Repeats } from "../gradmagic/widgets/explorer/repeats.js";
import * as schedule from "../gradmagic/widgets/explorer/schedule.js";
import { rateText, searchNodes } from "../gradmagic/widgets/explorer/searching.js";
import { findLine } from "../gradmagic/widgets/explorer/telling.js";
import { fitView, holdView, openView, revealView, zoomView } from "../gradmagic/widgets/explorer/stage.js";

// x and w feed MatMul; b joins in AddV2; both ops lie in layer 0, which lies in model 1
const doc = {
  nodes: {
    0: { label: "x", kind: "input", line: null },
    1: { label: "w", kind: "source", line: null },
    2: { label: "x @ w", op: "MatMul", kind: "op", line: 2, group: 0 },
    3: { label: "b", kind: "source", line: null },
    4: { label: "x @ w + b", op: "AddV2", kind: "op", line: 2, group: 0, name: "logits" },
    5: { label: "mean", op: "Mean", kind: "op", line: 13 },
    6: { label: "loss = 1", kind: "target", line: 13, name: "loss" },
  },
  groups: {
    1: { parent: null, kind: "layer", name: "model", detail: "Sequential", line: 2 },
    0: { parent: 1, kind: "layer", name: "dense", detail: "Dense", line: 2 },
  },
  edges: [[0, 2, 0], [1, 2, 1], [2, 4, 1], [3, 4, 1], [4, 5, 1], [5, 6, 1]],
  target: 6,
  sources: { w: 1, b: 3 },
  steps: { forward: [2, 4, 5, 6], backward: [6, 5, 4, 2, 1, 3] },
};
const showOpen = (id) => String(id);
const showClosed = (id) => (id === 2 || id === 4 ? "g1" : String(id));

test("edges between what is drawn: those inside a closed group vanish, pairs are one", () => {
  assert.equal(liftEdges(doc.edges, showOpen).length, 6);
  assert.deepEqual(liftEdges([...doc.edges, [0, 4, 0]], showClosed), [
    ["0", "g1", false], ["1", "g1", true], ["3", "g1", true], ["g1", "5", true], ["5", "6", true],
  ]);
});

test("a gradient along one of several edges counts for the pair", () => {
  assert.deepEqual(liftEdges([[0, 2, 0], [0, 4, 1]], showClosed), [["0", "g1", true]]);
});

test("paths lead up to the sources and down to the target, not to inputs or side branches", () => {
  const links = linkEdges([...liftEdges(doc.edges, showOpen), ["4", "9", false]]);
  const { above, below } = findPaths(links, "4", ["1", "3"], "6");
  assert.deepEqual([...above].sort(), ["1", "2", "3", "4"]);
  assert.deepEqual([...below].sort(), ["4", "5", "6"]);
});

test("a node that no source feeds has no path up, but itself", () => {
  const links = linkEdges(liftEdges(doc.edges, showOpen));
  assert.deepEqual([...findPaths(links, "0", ["1", "3"], "6").above], ["0"]);
});

test("an arrow goes to the nearest ahead, straight before aside", () => {
  const places = [{ key: "far", x: 0, y: 100 }, { key: "near", x: 10, y: 50 }, { key: "above", x: 0, y: -10 }];
  assert.equal(findNext({ x: 0, y: 0 }, places, "ArrowDown"), "near");
  assert.equal(findNext({ x: 0, y: 0 }, places, "ArrowUp"), "above");
  assert.equal(findNext({ x: 0, y: 0 }, places, "ArrowLeft"), null);
  assert.equal(findNext({ x: 0, y: 0 }, [{ key: "a", x: 40, y: 30 }, { key: "b", x: 100, y: 0 }], "ArrowRight"), "b");
});

test("a group holds what lies in it and in the groups in it", () => {
  assert.equal(isInside(doc, "2", 0), true);
  assert.equal(isInside(doc, "2", 1), true);
  assert.equal(isInside(doc, "g0", 1), true);
  assert.equal(isInside(doc, "g1", 0), false);
  assert.equal(isInside(doc, "5", 1), false);
});

test("steps are numbered through both passes from 1", () => {
  const steps = schedule.listSteps(doc.steps);
  assert.deepEqual(steps[0], { number: 1, pass: "forward", node: 2 });
  assert.deepEqual(steps[4], { number: 5, pass: "backward", node: 6 });
  assert.equal(steps.length, 10);
});

test("a closed group is one stop in each pass; numbers stay those of the steps", () => {
  const stops = schedule.listStops(schedule.listSteps(doc.steps), showClosed);
  assert.deepEqual(stops.map((stop) => [stop.key, stop.first, stop.last]), [
    ["g1", 1, 2], ["5", 3, 3], ["6", 4, 4], ["6", 5, 5], ["5", 6, 6], ["g1", 7, 8], ["1", 9, 9], ["3", 10, 10],
  ]);
  assert.equal(schedule.findStop(stops, 8), 5);
  assert.equal(schedule.findStop(stops, 11), -1);
  assert.equal(schedule.listStops(schedule.listSteps(doc.steps), showOpen).length, 10);
});

test("the last step forward and the first backward are two stops, in one group too", () => {
  const steps = schedule.listSteps({ forward: [2], backward: [2] });
  assert.deepEqual(schedule.listStops(steps, showClosed).map((stop) => stop.pass), ["forward", "backward"]);
});

test("groups span the steps of all that lies in them", () => {
  const { computed, passed } = schedule.numberNodes(schedule.listSteps(doc.steps));
  assert.deepEqual([...schedule.spanGroups(computed, doc)], [[0, [1, 2]], [1, [1, 2]]]);
  assert.deepEqual(schedule.spanGroups(passed, doc).get(1), [7, 8]);
});

test("links to a step", () => {
  assert.equal(schedule.readStepLink("file:///a/report.html#step-7"), 7);
  assert.equal(schedule.readStepLink("#step-x"), null);
  assert.equal(schedule.readStepLink("#step-7-more"), null);
  assert.equal(chooseExplorer([true, true, false]), 1);
  assert.equal(chooseExplorer([false, false]), 0);
});

test("search: names, ops and lines, the best first", () => {
  const keys = (query) => searchNodes(doc, query, "Zeile {line}").map((entry) => entry.key);
  assert.deepEqual(keys("w"), ["1", "2", "4"]); // the whole name before a word of it
  assert.deepEqual(keys("MATMUL"), ["2"]);
  assert.deepEqual(keys("logits"), ["4"]);
  assert.deepEqual(keys("l"), ["4", "6", "g1", "2"]); // beginnings first
  assert.deepEqual(keys("den"), ["g0"]);
  assert.deepEqual(keys("line 13"), ["5", "6"]);
  assert.deepEqual(keys("Zeile 13"), ["5", "6"]);
  assert.deepEqual(keys("13"), ["5", "6"]);
  const chinese = (query) => searchNodes(doc, query, "第 {line} 行").map((entry) => entry.key);
  for (const query of ["第 13 行", "第13行", "13 行", "行 13", "line 13"]) {
    assert.deepEqual(chinese(query), ["5", "6"], query);
  }
  assert.deepEqual(keys("  "), []);
  assert.deepEqual(keys("nothing"), []);
});

test("search: beginnings before middles", () => {
  assert.equal(rateText("mean", "mean"), 3);
  assert.equal(rateText("mean", "me"), 2);
  assert.equal(rateText("reduce mean", "me"), 1);
  assert.equal(rateText("Mean", "ea"), 0.5);
  assert.equal(rateText(null, "m"), 0);
});

const stage = { width: 800, height: 500 };

test("fit shows all, in the middle, and never enlarges", () => {
  const view = fitView({ width: 1600, height: 300 }, stage);
  assert.equal(view.scale, (800 - 32) / 1600);
  assert.equal(view.x, 16);
  assert.equal(fitView({ width: 100, height: 100 }, stage).scale, 1);
});

test("a graph too tall to be read whole opens at its top", () => {
  const view = openView({ width: 400, height: 5000 }, stage);
  assert.deepEqual([view.scale, view.y, view.x], [1, 16, 200]);
  assert.equal(openView({ width: 4000, height: 5000 }, stage).scale, 0.7);
});

test("zooming keeps the point under the pointer", () => {
  const before = { x: 30, y: -20, scale: 0.8 };
  const point = { x: 200, y: 100 };
  const after = zoomView(before, 1.5, point);
  assert.ok(Math.abs((point.x - after.x) / after.scale - (point.x - before.x) / before.scale) < 1e-9);
  assert.equal(zoomView(before, 1000, point).scale, 4);
});

test("the picture cannot be lost out of sight", () => {
  const view = holdView({ x: 9000, y: -9000, scale: 1 }, { width: 400, height: 400 }, stage);
  assert.deepEqual([view.x, view.y], [720, -320]);
});

test("what is seen is not moved; what is not, comes in with room around it", () => {
  const view = { x: 0, y: 0, scale: 1 };
  assert.deepEqual(revealView(view, { x: 10, y: 10, width: 50, height: 40 }, stage), view);
  assert.deepEqual(revealView(view, { x: 10, y: 600, width: 50, height: 40 }, stage).y, 500 - 48 - 640);
  assert.deepEqual(revealView(view, { x: -100, y: 10, width: 50, height: 40 }, stage).x, 148);
});

test("keys", () => {
  assert.equal(nameAct({ key: "ArrowUp" }, "node"), "up");
  assert.equal(nameAct({ key: "ArrowUp", shiftKey: true }, "node"), "pan-up");
  assert.equal(nameAct({ key: "ArrowRight" }, "slider"), null); // the slider's own
  assert.equal(nameAct({ key: "n" }, "slider"), "next-step");
  assert.equal(nameAct({ key: "n" }, "search"), null); // a letter
  assert.equal(nameAct({ key: "Enter", shiftKey: true }, "search"), "visit-previous");
  assert.equal(nameAct({ key: "Enter" }, "button"), null);
  assert.equal(nameAct({ key: " " }, "node"), "toggle");
  assert.equal(nameAct({ key: "s", ctrlKey: true }, "node"), null);
  assert.equal(nameAct({ key: "0", metaKey: true }, "node"), null);
  assert.equal(nameAct({ key: "Escape" }, "field"), "leave");
});

/** An element that has some attributes. */
const having = (attributes) => ({ getAttribute: (name) => attributes[name] ?? null });

test("keys of elements: nodes, groups, frames; ports have none", () => {
  assert.equal(readKey(having({ "data-node": "12" })), "12");
  assert.equal(readKey(having({ "data-node": "20", "data-group": "3" })), "g3");
  assert.equal(readKey(having({ "data-frame": "3", "data-frame-node": "20" })), "g3");
  assert.equal(readKey(having({ "data-node": "-2" })), null);
  assert.equal(readKey(null), null);
  assert.equal(findLine(doc, "g0"), 2);
  assert.equal(findLine(doc, "0"), null);
});

test("one question at a time, the newest, not too often", () => {
  const sent = [];
  let time = 0;
  /** @type {(() => void)[]} */
  const timers = [];
  const newest = new Newest((value) => sent.push(value), { now: () => time, later: (act) => timers.push(act) });
  newest.offer(1);
  newest.offer(2);
  newest.offer(3);
  assert.deepEqual(sent, [1]); // 2 is dropped
  time = 20;
  newest.answered();
  assert.deepEqual(sent, [1]); // too soon
  time = 80;
  timers.pop()?.();
  assert.deepEqual(sent, [1, 3]);
  time = 300;
  newest.answered();
  newest.offer(4);
  assert.deepEqual(sent, [1, 3, 4]);
  newest.offer(5);
  newest.drop();
  newest.answered();
  assert.deepEqual(sent, [1, 3, 4]);
});

test("a kernel that never answers is asked again after a while", () => {
  const sent = [];
  let time = 0;
  const newest = new Newest((value) => sent.push(value), { now: () => time, later: () => {} });
  newest.offer(1);
  time = 4000;
  newest.offer(2);
  assert.deepEqual(sent, [1]);
  time = 6000;
  newest.offer(3);
  assert.deepEqual(sent, [1, 3]);
});

test("an answer finds its question", async () => {
  const sent = [];
  let hear = (_message) => {};
  const kernel = new Kernel({ send: (message) => sent.push(message), onMessage: (act) => { hear = act; } });
  const [one, other] = [kernel.ask({ kind: "detail", node: "1" }), kernel.ask({ kind: "detail", node: "g2" })];
  hear({ kind: "detail", node: "g2", html: "group" });
  hear({ kind: "detail", node: "1", html: "node" });
  assert.deepEqual([(await one).html, (await other).html], ["node", "group"]);
  assert.equal(await new Kernel(null).ask({ kind: "restore" }), null);
  assert.notEqual(nameQuestion({ kind: "check", source: "w", index: "1" }), nameQuestion({ kind: "check", source: "w", index: "" }));
});

test("what the kernel sends is put into the document, and nothing else is lost", () => {
  const merged = mergeDocument(
    { levels: { "": 1, 3: 2 }, iterations: { 3: { count: 2 } }, details: { 1: "a" } },
    { levels: { 4: 9 }, iterations: { "3@1": { labels: {} } } },
  );
  assert.deepEqual(merged, {
    levels: { "": 1, 3: 2, 4: 9 }, iterations: { 3: { count: 2 }, "3@1": { labels: {} } }, details: { 1: "a" },
  });
  assert.equal(nameEntry("w", "3,0"), "w[3, 0]");
  assert.equal(nameEntry("bias", ""), "bias");
});

test("of other numbers none of the old ones stay", () => {
  const replaced = replaceNumbers(
    {
      levels: { "": 1, 3: 2 }, iterations: { 3: { turns: [1] }, "3@7": 1 }, details: { 1: "a", 2: "b" },
      chains: { w: "a", u: "a" }, colours: [1], nodes: { 1: {} },
      steps: { forward: [1], backward: [1], said: { 1: {}, 2: {} } },
    },
    {
      levels: { "": 2 }, iterations: {}, details: { 2: "c" }, chains: { w: "c" }, colours: [2],
      steps: { forward: [1], backward: [1], said: { 1: { forward: "x" } } },
    },
  );
  assert.deepEqual(replaced, {
    levels: { "": 2 }, iterations: {}, details: { 2: "c" }, chains: { w: "c" }, colours: [2], nodes: { 1: {} },
    steps: { forward: [1], backward: [1], said: { 1: { forward: "x" } } },
  });
});

test("code is wrapped behind brackets and commas, and in names only where they are long", () => {
  assert.deepEqual(splitCode("loss = f(a, g(b).c)"), ["loss = f(", "a,", " g(", "b).c)"]);
  assert.deepEqual(splitCode("keras.losses.sparse_categorical_crossentropy(y)"),
    ["keras.losses", ".sparse_categorical_crossentropy(", "y)"]);
  assert.deepEqual(splitCode(" "), [" "]);
});

test("repeats: what is drawn for a node of another time, inside other repeats too", () => {
  // twice (group 0): one op and an inner loop; in each, the inner loop (groups 1 and 2) runs an op 3 times
  const repeats = new Repeats({ groups: {
    0: { times: [[10, 11, 12, 13], [20, 21, 22, 23]] },
    1: { times: [[11], [12], [13]] },
    2: { times: [[21], [22], [23]] },
    3: {},
  } });
  assert.equal(repeats.findFirst(23), 11);
  assert.equal(repeats.findFirst(20), 10);
  assert.equal(repeats.findFirst(5), 5);
  assert.deepEqual(repeats.listTimes(13), new Map([[0, 0], [1, 2]]));
  assert.deepEqual(repeats.listTimes(22), new Map([[0, 1], [1, 1]]));
  assert.deepEqual(repeats.listTimes(5), new Map());
  const at = new Map([[0, 1], [1, 2]]);
  const read = (group) => at.get(group) ?? 0;
  assert.equal(repeats.findShown(11, read), 23);
  assert.equal(repeats.findShown(12, read), 23);
  assert.equal(repeats.findShown(20, read), 20);
  assert.equal(repeats.findShown(10, read), 20);
  assert.equal(repeats.findShown(5, read), 5);
  assert.equal(repeats.findShown(22, () => 0), 11);
});

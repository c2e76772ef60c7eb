// The pure parts of widgets/report.js, and its render on a small stand-in for the page.
import assert from "node:assert/strict";
import test from "node:test";

import { plainMinus } from "../gradmagic/widgets/copying.js";
import * as module from "../gradmagic/widgets/report.js";
import { joinCode, moveTab } from "../gradmagic/widgets/opening.js";


test("arrow keys go round, Home and End to the ends", () => {
  assert.equal(moveTab("ArrowRight", 0, 3), 1);
  assert.equal(moveTab("ArrowRight", 2, 3), 0);
  assert.equal(moveTab("ArrowLeft", 0, 3), 2);
  assert.equal(moveTab("ArrowLeft", 2, 3), 1);
  assert.equal(moveTab("Home", 2, 4), 0);
  assert.equal(moveTab("End", 0, 4), 3);
  assert.equal(moveTab("Enter", 1, 3), null);
});

test("a copied table has plain hyphens", () => {
  assert.equal(plainMinus("\u22122.273\t1\n\u22120.5"), "-2.273\t1\n-0.5");
});

test("copied code is the program, a line each", () => {
  assert.equal(joinCode(["with tape:", "    x = 1", " ", null]), "with tape:\n    x = 1\n\n\n");
});

test("the widget renders and has nothing else to offer by default", () => {
  assert.deepEqual(Object.keys(module.default), ["render"]);
});

// What scrolls becomes a stop of the Tab key: node --test tests/
import assert from "node:assert/strict";
import test from "node:test";

import { isCut } from "../gradmagic/widgets/scrolling.js";

const whole = { scrollWidth: 200, clientWidth: 200, scrollHeight: 50, clientHeight: 50 };

test("only what has content out of sight scrolls", () => {
  assert.equal(isCut(whole), false);
  assert.equal(isCut({ ...whole, scrollWidth: 213 }), true);
  assert.equal(isCut({ ...whole, scrollHeight: 90 }), true);
  assert.equal(isCut({ ...whole, scrollWidth: 201 }), false, "sizes are rounded to whole px");
  assert.equal(isCut({ ...whole, scrollWidth: 9, clientWidth: 0 }), false, "what is not shown does not");
});

// The questions in the browser: marking as in Python, what keys do, and what is out of sight.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { markAnswer } from "../gradmagic/widgets/asking/marking.js";
import { moveEntry, writeEntry } from "../gradmagic/widgets/asking/inputs.js";
import { fillText } from "../gradmagic/widgets/elements.js";
import { describeAnswer } from "../gradmagic/widgets/asking/results.js";
import { unpack, unveil } from "../gradmagic/widgets/asking/veil.js";

const table = JSON.parse(readFileSync(new URL("./answers.json", import.meta.url), "utf8"));

for (const [name, { kind, choices, right, number, cases }] of Object.entries(table)) {
  test(`marks ${name}`, () => {
    const question = { kind, choices: choices.map((value) => ({ value })) };
    for (const [answer, verdict] of Object.entries(cases)) {
      assert.equal(markAnswer(question, { right, number, truth: "", why: [] }, answer), verdict, `${name}: ${answer}`);
    }
  });
}

test("arrow keys move over the entries and stay inside", () => {
  assert.equal(moveEntry("ArrowRight", 0, [2, 3]), 1);
  assert.equal(moveEntry("ArrowRight", 2, [2, 3]), 2);
  assert.equal(moveEntry("ArrowDown", 1, [2, 3]), 4);
  assert.equal(moveEntry("ArrowDown", 4, [2, 3]), 4);
  assert.equal(moveEntry("ArrowUp", 4, [2, 3]), 1);
  assert.equal(moveEntry("ArrowLeft", 3, [2, 3]), 3);
  assert.equal(moveEntry("Home", 5, [2, 3]), 3);
  assert.equal(moveEntry("End", 3, [2, 3]), 5);
  assert.equal(moveEntry("ArrowDown", 1, [4]), 1);
  assert.equal(moveEntry("x", 1, [4]), null);
});

test("an entry is named by its index", () => {
  assert.equal(writeEntry(4, [2, 3]), "1,1");
  assert.equal(writeEntry(2, [4]), "2");
});

test("an answer is shown as its reader said it", () => {
  const question = { kind: "entry", subject: "w", choices: [{ value: "none", label: "None" }] };
  assert.equal(describeAnswer(question, "1,2"), "w[1, 2]");
  assert.equal(describeAnswer(question, "none"), "None");
  assert.equal(describeAnswer({ ...question, kind: "number" }, " 0.3 "), "0.3");
});

test("places of a sentence are filled", () => {
  assert.equal(fillText("Question {number} of {count}", { number: 1, count: 3 }), "Question 1 of 3");
});

test("what Python put out of sight comes back", async () => {
  // by render/asking/document.py: veil('{"truth": "梯度 −0.25"}'), pack("梯度 <b>")
  assert.equal(unveil("UlDPdjjitwpLmiGqN3HCyh8iqRxPFkGKNGju"), '{"truth": "梯度 −0.25"}');
  assert.equal(await unpack("eNp7tmj9013LFGyS7AAkQwV5"), "梯度 <b>");
});

test("a reason is told apart: formula, rule, sentence", async () => {
  const { sortReason } = await import("../gradmagic/widgets/asking/results.js");
  assert.equal(sortReason("d loss/d w = d loss/d y · d y/d w").kind, "formula");
  assert.equal(sortReason("+ d loss/d z · d z/d w").kind, "formula");
  assert.deepEqual(sortReason("d y/d w: The gradient times x."), { kind: "rule", head: "d y/d w", text: "The gradient times x." });
  assert.equal(sortReason("where u₁ = x @ w").kind, "sentence");
  assert.equal(sortReason("To mend it: loss = tf.sqrt(w + 1e-12)").kind, "sentence");
});

// The exported page's own script: what is packed in Python is unpacked as it was.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { inflate } from "../gradmagic/widgets/exporting.js";

test("what was deflated comes back", async () => {
  const numbers = { 損失: [1.5, -2e-30, null], html: "</script><b>\u2028 & \"quotes\"</b>" };
  const packed = deflateSync(JSON.stringify(numbers)).toString("base64");
  assert.deepEqual(await inflate(packed), numbers);
});

test("what was damaged is an error", async () => {
  const packed = Buffer.from("this was never deflated").toString("base64");
  await assert.rejects(inflate(packed));
});

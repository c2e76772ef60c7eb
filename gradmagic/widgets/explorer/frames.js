// The frame around an open group: its border, its title, and the signs in it.
import { TITLE } from "./geometry.js";
import { makeSvg, setMove } from "./drawing.js";

const SIGN_RADIUS = 9; // px
const SIGN_AWAY = 22; // px from a frame's right border to the middle of its sign
const HIT = 15; // px, the radius within which a sign can be clicked
const BACK_AWAY = 154; // px from the right border to the sign for the iteration before
const NEXT_AWAY = 56; // px from there to the sign for the next one
/** px of a title that shows the number of an iteration. */
export const STEPPER = 120;

/**
 * A sign that can be clicked.
 * @param {string} act
 * @param {string} words
 * @param {string} strokes path data around (0, 0)
 */
function makeSign(act, words, strokes) {
  return makeSvg(
    "g",
    { class: "gm-sign", "data-act": act, role: "button", "aria-label": words },
    makeSvg("circle", { class: "gm-hit", r: HIT }),
    ...(act === "close" ? [makeSvg("circle", { r: SIGN_RADIUS })] : []),
    makeSvg("path", { d: strokes }),
  );
}

/**
 * The frame of an open group, without what is inside.
 * @param {number} group
 * @param {Element} node that stands for it while it is closed
 * @param {{ kind: string, iterations?: number }} described
 * @param {Record<string, string>} words
 */
export function makeFrame(group, node, { kind, iterations }, words) {
  const texts = [...node.querySelectorAll(":scope > text")].slice(0, 2).map((text, i) => {
    const copy = /** @type {Element} */ (text.cloneNode(true));
    copy.setAttribute("x", "18");
    copy.setAttribute("y", String(i ? 36 : 20));
    return copy;
  });
  const signs = makeSvg("g", { class: "gm-signs" });
  if (iterations) {
    const previous = makeSign("previous", words.previous_iteration ?? "", "M2.5-5l-5 5 5 5");
    const next = makeSign("next", words.next_iteration ?? "", "M-2.5-5l5 5-5 5");
    setMove(previous, -BACK_AWAY, 0);
    setMove(next, -NEXT_AWAY, 0);
    signs.append(
      previous, makeSvg("text", { class: "gm-iteration", x: -(BACK_AWAY + NEXT_AWAY) / 2, y: 4 }), next,
    );
  }
  const close = makeSign("close", words.close_group ?? "", "M-4.5 0h9");
  setMove(close, -SIGN_AWAY, 0);
  signs.append(close);
  return makeSvg(
    "g",
    {
      class: kind === "gradient" ? "gm-frame gm-tape" : "gm-frame",
      "data-frame": group,
      "data-frame-node": node.getAttribute("data-node") ?? "",
    },
    makeSvg("rect", { x: 0.5, y: 0.5, rx: 16 }),
    ...texts,
    signs,
  );
}

/**
 * Gives a frame its place and what is inside.
 * @param {Element} frame
 * @param {import("./geometry.js").Box} box
 * @param {Element} inside
 * @param {string} turn which iteration of how many; "" for what is no repeat
 */
export function fillFrame(frame, box, inside, turn) {
  const width = box.right - box.left;
  setMove(frame, box.left, box.top);
  const border = /** @type {Element} */ (frame.querySelector(":scope > rect"));
  border.setAttribute("width", String(width - 1));
  border.setAttribute("height", String(box.height - 1));
  setMove(/** @type {Element} */ (frame.querySelector(":scope > .gm-signs")), width, TITLE / 2);
  const said = frame.querySelector(":scope > .gm-signs > .gm-iteration");
  if (said) said.textContent = turn;
  const shown = frame.querySelector(":scope > .gm-level");
  if (shown === inside) return;
  shown?.remove(); // an iteration takes the place of another
  frame.append(inside);
}

// Where everything of a level lies when some of its groups are open: space is put in beside and below
// them, and all else moves along. Pure: numbers in, numbers and path data out.

/** px: an open group's title, as high as its node was, so that lines from its sides still meet it. */
export const TITLE = 44;
/** px from the top of an open group to what is inside. */
export const HEADROOM = TITLE + 8;
/** px between an open group's other borders and what is inside. */
export const PADDING = 16;
const NEAR = 12; // px below a node that belong to the ends of its lines: a gap and an arrow's head
const BESIDE = 8; // px beside a node where nothing is
const SNAP = 8; // px from a line to its lane
const CORNER_ROOM = 22; // px at a box's corners where no line ends

/**
 * @typedef {{ id: number, x: number, y: number, width: number, height: number, group: number | null }} Placed
 *   a node's middle and size; `group` is what it can be opened to
 * @typedef {{ from: number, to: number, xs: number[] }} Wire
 *   an edge, and where it runs downwards
 * @typedef {{ x: number, y: number, left: number, right: number, from: number, start: number }} Label
 *   what stands beside a line at (x, y), its px to both sides, the node that the line comes from, and
 *   where it leaves that
 * @typedef {{ width: number, height: number, nodes: Placed[], wires: Wire[] }} Level
 * @typedef {{ width: number, height: number }} Size
 * @typedef {{ x: number, y: number, radius: number }} Corner
 * @typedef {{ left: number, right: number, top: number, height: number }} Box
 */

/**
 * The corners of a line that runs by right angles, or of straight strokes.
 * @param {string} data path data: M, L, H, V and Q, absolute, without z
 * @returns {Corner[][]} one list for each M; the radius is that of the rounded corner
 */
export function parsePath(data) {
  /** @type {Corner[][]} */
  const lines = [];
  let x = 0;
  let y = 0;
  for (const [, letter, rest] of data.matchAll(/([MLHVQ])([^A-Za-z]*)/g)) {
    const numbers = (rest.match(/-?[\d.]+/g) ?? []).map(Number);
    if (letter === "Q") { // from the point before, which is not a corner, around one to the next
      const [cx, cy, ex, ey] = numbers;
      const line = lines[lines.length - 1];
      const radius = Math.max(Math.abs(ex - cx), Math.abs(ey - cy));
      const last = line[line.length - 1];
      if (line.length > 1 && last.radius === 0) line.pop();
      line.push({ x: cx, y: cy, radius });
      [x, y] = [ex, ey];
      line.push({ x, y, radius: 0 });
      continue;
    }
    if (letter === "H") [x] = numbers;
    else if (letter === "V") [y] = numbers;
    else [x, y] = numbers;
    if (letter === "M") lines.push([]);
    const line = lines[lines.length - 1];
    const before = line[line.length - 2];
    const last = line[line.length - 1];
    // after a corner the line goes on to its end in the same direction
    if (last && before?.radius && last.radius === 0) line.pop();
    line.push({ x, y, radius: 0 });
  }
  return lines;
}

/**
 * Path data of a line through corners, which are rounded as far as there is room.
 * @param {Corner[]} line
 */
export function writePath(line) {
  const points = line.filter((p, i) => i === 0 || p.x !== line[i - 1].x || p.y !== line[i - 1].y);
  let pen = points[0];
  let data = `M${short(pen.x)} ${short(pen.y)}`;
  for (let i = 1; i < points.length; i++) {
    const corner = points[i];
    const after = points[i + 1];
    if (!after || !corner.radius) {
      data += stepTo(pen, corner);
      pen = corner;
      continue;
    }
    const come = Math.hypot(corner.x - points[i - 1].x, corner.y - points[i - 1].y);
    const leave = Math.hypot(after.x - corner.x, after.y - corner.y);
    // a piece between two corners is shared by both
    const radius = Math.min(
      corner.radius,
      points[i - 1].radius ? come / 2 : come,
      after.radius ? leave / 2 : leave,
    );
    const start = toward(corner, points[i - 1], radius / (come || 1));
    const end = toward(corner, after, radius / (leave || 1));
    data += `${stepTo(pen, start)}Q${short(corner.x)} ${short(corner.y)} ${short(end.x)} ${short(end.y)}`;
    pen = end;
  }
  return data;
}

/**
 * @param {{ x: number, y: number }} a
 * @param {{ x: number, y: number }} b
 * @param {number} share
 */
const toward = (a, b, share) => ({ x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share });

/** @param {number} value */
const short = (value) => String(Math.round(value * 10) / 10);

/**
 * @param {{ x: number, y: number }} a
 * @param {{ x: number, y: number }} b
 */
function stepTo(a, b) {
  if (Math.abs(a.x - b.x) < 0.05) return Math.abs(a.y - b.y) < 0.05 ? "" : `V${short(b.y)}`;
  return Math.abs(a.y - b.y) < 0.05 ? `H${short(b.x)}` : `L${short(b.x)} ${short(b.y)}`;
}

/**
 * How far things move to the right, by where they are: space is put in at both borders of each open
 * group. Groups above each other share it.
 * @param {{ x: number, width: number, extra: number }[]} open middles, widths, and the px that are missing
 * @returns {(x: number) => number}
 */
export function shiftAcross(open) {
  /** @type {{ at: number, by: number }[]} */
  const cuts = [];
  /** How far a point moves. @param {number} x */
  const shift = (x) => cuts.reduce((moved, cut) => moved + (x > cut.at ? cut.by : 0), 0);
  // the narrowest first: its space lies within the borders of the wider ones
  for (const { x, width, extra } of [...open].sort((a, b) => a.width - b.width)) {
    const [left, right] = [x - width / 2, x + width / 2];
    const missing = [
      { at: left, by: extra / 2 - (shift(x) - shift(left)) },
      { at: right, by: extra / 2 - (shift(right + 1e-6) - shift(x)) },
    ];
    cuts.push(...missing.filter((cut) => cut.by > 0));
  }
  return shift;
}

/**
 * How far things move down, by where they are: space is put in below each row with open groups.
 * @param {{ y: number, height: number, extra: number }[]} open
 * @returns {(y: number) => number}
 */
export function shiftDown(open) {
  /** @type {Map<number, number>} */
  const rows = new Map();
  for (const { y, height, extra } of open) {
    const bottom = y + height / 2;
    rows.set(bottom, Math.max(rows.get(bottom) ?? 0, extra));
  }
  return (y) => [...rows].reduce((moved, [bottom, extra]) => moved + (y > bottom ? extra : 0), 0);
}

/**
 * The size of the frame around a group's inside.
 * @param {Size} inside
 * @param {number} title px that the title needs
 * @returns {Size}
 */
export function frameSize(inside, title) {
  return {
    width: Math.max(inside.width + 2 * PADDING, title),
    height: HEADROOM + inside.height + PADDING,
  };
}

/**
 * Where a node goes: with its lines, within the room that there is for it. Where its lines part, it
 * grows, so that they still end at it.
 * @param {Placed} node
 * @param {number} width px that it has now
 * @param {number[]} ends where lines end at it
 * @param {(x: number) => number} across
 */
function moveNode(node, width, ends, across) {
  const [left, right] = [node.x - node.width / 2, node.x + node.width / 2];
  const room = [left + across(left), right + across(right + 1e-6)];
  const shifts = (ends.length ? ends : [node.x]).map(across);
  const by = Math.round((Math.min(...shifts) + Math.max(...shifts)) / 2);
  const x = Math.min(Math.max(node.x + by, room[0] + width / 2), room[1] - width / 2);
  return {
    left: Math.min(x - width / 2, ...ends.map((end, i) => end + shifts[i] - Math.min(CORNER_ROOM, end - left))),
    right: Math.max(x + width / 2, ...ends.map((end, i) => end + shifts[i] + Math.min(CORNER_ROOM, right - end))),
  };
}

/**
 * A level with some of its groups open.
 * @param {Level} level
 * @param {Map<number, Size>} frames the sizes of the open ones
 */
export function arrange(level, frames) {
  const open = level.nodes.flatMap((node) => {
    const frame = node.group === null ? undefined : frames.get(node.group);
    return frame ? [{ ...node, frame }] : [];
  });
  const across = shiftAcross(open.map(({ x, width, frame }) => (
    { x, width, extra: 2 * Math.ceil(Math.max(0, frame.width - width) / 2) }
  )));
  const down = shiftDown(open.map(({ y, height, frame }) => (
    { y, height, extra: frame.height - height }
  )));
  /** @type {Map<number, number[]>} where lines end at the top or bottom of each node */
  const ends = new Map();
  const before = new Map(level.nodes.map((node) => [node.id, node]));
  for (const { from, to, xs } of level.wires) {
    for (const [id, x] of [[from, xs[0]], [to, xs[xs.length - 1]]]) {
      const node = before.get(id);
      if (!node || Math.abs(x - node.x) >= node.width / 2) continue; // it enters from the side
      ends.set(id, [...ends.get(id) ?? [], x]);
    }
  }
  /** @type {Map<number, Box>} */
  const boxes = new Map();
  for (const node of level.nodes) {
    const frame = node.group === null ? undefined : frames.get(node.group);
    const top = node.y - node.height / 2 + down(node.y);
    const sides = moveNode(node, Math.max(node.width, frame?.width ?? 0), ends.get(node.id) ?? [], across);
    boxes.set(node.id, { ...sides, top, height: frame?.height ?? node.height });
  }

  /**
   * Where a point of an edge's line moves.
   * @param {Wire} wire
   * @param {{ x: number, y: number }} point
   * @param {boolean} isEnd whether the line ends there
   */
  const move = (wire, point, isEnd) => {
    const [start, goal] = [before.get(wire.from), before.get(wire.to)];
    let y = point.y + down(point.y);
    if (start && point.y > start.y && point.y <= start.y + start.height / 2 + NEAR) {
      const box = /** @type {Box} */ (boxes.get(wire.from)); // just below what it comes from
      y = point.y - (start.y + start.height / 2) + box.top + box.height;
    }
    if (goal && isEnd && Math.abs(point.y - goal.y) < goal.height / 2) { // at its side
      const box = /** @type {Box} */ (boxes.get(wire.to));
      const x = point.x < goal.x
        ? box.left + point.x - (goal.x - goal.width / 2)
        : box.right + point.x - (goal.x + goal.width / 2);
      return { x, y };
    }
    const near = wire.xs.reduce((a, b) => (Math.abs(b - point.x) < Math.abs(a - point.x) ? b : a), Infinity);
    return { x: point.x + across(Math.abs(near - point.x) <= SNAP ? near : point.x), y };
  };

  return {
    width: level.width + across(Infinity),
    height: level.height + down(Infinity),
    boxes,
    /**
     * How far a label moves: it stays under its node where another one in the row is open, if the line
     * runs straight down to it and there is room beside the line.
     * @param {Label} label
     */
    moveLabel: ({ x, y, left, right, from, start }) => {
      const [node, box] = [before.get(from), boxes.get(from)];
      const stays = node && box && start === x && Math.max(left, right) <= node.width / 2 + BESIDE;
      return { x: across(x), y: stays ? box.top + box.height - (node.y + node.height / 2) : down(y) };
    },
    /**
     * @param {Wire} wire
     * @param {string} data of one of its paths
     */
    movePath: (wire, data) => {
      if (data.endsWith("z")) return moveShape(data, (tip) => move(wire, tip, true));
      const lines = parsePath(data);
      if (lines.length > 1) { // strokes across the line
        const all = lines.flat();
        const middle = {
          x: all.reduce((total, p) => total + p.x, 0) / all.length,
          y: all.reduce((total, p) => total + p.y, 0) / all.length,
        };
        const moved = move(wire, middle, true);
        return lines.map((line) => writePath(line.map((p) => (
          { ...p, x: p.x + moved.x - middle.x, y: p.y + moved.y - middle.y }
        )))).join("");
      }
      const [line] = lines;
      return writePath(line.map((p, i) => (
        { ...p, ...move(wire, p, i === 0 || i === line.length - 1) }
      )));
    },
  };
}

/**
 * An arrow's head, which keeps its shape and moves with its tip.
 * @param {string} data M tip, L, then H, V or L, z
 * @param {(tip: { x: number, y: number }) => { x: number, y: number }} move
 */
function moveShape(data, move) {
  const [points] = parsePath(data);
  const moved = move(points[0]);
  const by = { x: moved.x - points[0].x, y: moved.y - points[0].y };
  return `${writePath(points.map((p) => ({ ...p, x: p.x + by.x, y: p.y + by.y })))}z`;
}

// What leads to a node and what it leads to, among what is drawn: closed groups stand for their ops.

const ASIDE_COSTS = 3; // times as much as straight ahead, for an arrow key

/**
 * A key of what is drawn: `"12"` for a node, `"g3"` for a closed group.
 * @typedef {string} Key
 */

/**
 * The edges between what is drawn, each pair once.
 * @param {[number, number, number][]} edges producer, consumer, whether a gradient flows back
 * @param {(id: number) => Key} show what stands for a node now
 * @returns {[Key, Key, boolean][]}
 */
export function liftEdges(edges, show) {
  /** @type {Map<string, [Key, Key, boolean]>} */
  const found = new Map();
  for (const [producer, consumer, gradient] of edges) {
    const ends = [show(producer), show(consumer)];
    if (ends[0] === ends[1]) continue;
    const name = ends.join(" ");
    const known = found.get(name);
    if (known) known[2] ||= Boolean(gradient);
    else found.set(name, [ends[0], ends[1], Boolean(gradient)]);
  }
  return [...found.values()];
}

/**
 * All that can be reached from somewhere, itself included.
 * @param {Iterable<Key>} starts
 * @param {Map<Key, Key[]>} next
 * @returns {Set<Key>}
 */
export function findReached(starts, next) {
  const reached = new Set(starts);
  const open = [...reached];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    for (const other of next.get(key) ?? []) {
      if (!reached.has(other)) {
        reached.add(other);
        open.push(other);
      }
    }
  }
  return reached;
}

/**
 * Who follows whom, and who is followed by whom.
 * @param {[Key, Key, boolean][]} edges
 */
export function linkEdges(edges) {
  /** @type {Map<Key, Key[]>} */
  const down = new Map();
  /** @type {Map<Key, Key[]>} */
  const up = new Map();
  for (const [producer, consumer] of edges) {
    (down.get(producer) ?? down.set(producer, []).get(producer)).push(consumer);
    (up.get(consumer) ?? up.set(consumer, []).get(consumer)).push(producer);
  }
  return { down, up };
}

/**
 * The nodes on the paths that lead through one node: up to the sources, down to the target.
 * @param {{down: Map<Key, Key[]>, up: Map<Key, Key[]>}} links
 * @param {Key} key
 * @param {Key[]} sources
 * @param {Key} target
 * @returns {{above: Set<Key>, below: Set<Key>}} each with the node itself
 */
export function findPaths(links, key, sources, target) {
  const fed = findReached(sources, links.down);
  const feeding = findReached([target], links.up);
  /** @param {Set<Key>} reached @param {Set<Key>} wanted */
  const keep = (reached, wanted) => new Set([...reached].filter((one) => one === key || wanted.has(one)));
  return {
    above: keep(findReached([key], links.up), fed),
    below: keep(findReached([key], links.down), feeding),
  };
}

/**
 * The one of several places that an arrow key goes to: the nearest, straight ahead before aside.
 * @param {{x: number, y: number}} from middle of where it starts
 * @param {{key: Key, x: number, y: number}[]} places middles
 * @param {string} arrow as KeyboardEvent names it
 * @returns {Key | null}
 */
export function findNext(from, places, arrow) {
  const [dx, dy] = /** @type {Record<string, number[]>} */ ({
    ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
  })[arrow] ?? [0, 0];
  let best = null;
  let least = Infinity;
  for (const { key, x, y } of places) {
    const ahead = (x - from.x) * dx + (y - from.y) * dy;
    const aside = Math.abs((x - from.x) * dy) + Math.abs((y - from.y) * dx);
    const way = ahead + ASIDE_COSTS * aside;
    if (ahead > 0 && way < least) {
      least = way;
      best = key;
    }
  }
  return best;
}

// The steps of a run: the forward pass op by op, then the backward pass, and where to stop on the way.

/**
 * @typedef {{number: number, pass: "forward" | "backward", node: number}} Step number from 1
 * @typedef {{first: number, last: number, pass: "forward" | "backward", key: string}} Stop the numbers
 *   of its steps, and the key of what is drawn for them
 */

/**
 * All steps in order.
 * @param {{forward: number[], backward: number[]}} steps
 * @returns {Step[]}
 */
export function listSteps(steps) {
  const passes = /** @type {["forward" | "backward", number[]][]} */ (
    [["forward", steps.forward], ["backward", steps.backward]]);
  let number = 0;
  return passes.flatMap(([pass, nodes]) => nodes.map((node) => ({ number: ++number, pass, node })));
}

/**
 * Where the walk stops: at each step, but once for all that follow each other inside a closed group.
 * The numbers stay those of the steps, whatever is open.
 * @param {Step[]} steps
 * @param {(id: number) => string} show what stands for a node now
 * @returns {Stop[]}
 */
export function listStops(steps, show) {
  /** @type {Stop[]} */
  const stops = [];
  for (const { number, pass, node } of steps) {
    const key = show(node);
    const before = stops[stops.length - 1];
    if (before && key.startsWith("g") && before.key === key && before.pass === pass) {
      before.last = number;
    } else stops.push({ first: number, last: number, pass, key });
  }
  return stops;
}

/**
 * The place of the stop at which a step happens; -1 for none.
 * @param {Stop[]} stops
 * @param {number} number
 */
export function findStop(stops, number) {
  return stops.findIndex((stop) => stop.first <= number && number <= stop.last);
}

/**
 * For each node when it is computed and when a gradient has passed it.
 * @param {Step[]} steps
 */
export function numberNodes(steps) {
  const computed = new Map();
  const passed = new Map();
  for (const { number, pass, node } of steps) (pass === "forward" ? computed : passed).set(node, number);
  return { computed, passed };
}

/**
 * For each group the first and the last number of what lies in it.
 * @param {Map<number, number>} numbers of nodes
 * @param {Record<string, any>} doc
 * @returns {Map<number, [number, number]>}
 */
export function spanGroups(numbers, doc) {
  /** @type {Map<number, [number, number]>} */
  const spans = new Map();
  for (const [node, number] of numbers) {
    for (let group = doc.nodes[node]?.group ?? null; group !== null; group = doc.groups[group].parent) {
      const [first, last] = spans.get(group) ?? [number, number];
      spans.set(group, [Math.min(first, number), Math.max(last, number)]);
    }
  }
  return spans;
}

/**
 * The number of a step that a link names: `#step-7`; null for other links.
 * @param {string} address
 */
export function readStepLink(address) {
  const number = /#step-(\d+)$/.exec(address)?.[1];
  return number === undefined ? null : Number(number);
}

// What runs again and again: one of the times is drawn, and stands for the others.

export class Repeats {
  /**
   * @param {Record<string, any>} doc `groups[g].times`: for each time the ids of its nodes, in one order
   */
  constructor(doc) {
    /** @type {Map<number, {group: number, at: number, place: number}[]>} the inner repeats last */
    this.places = new Map();
    /** @type {Map<number, number[][]>} */
    this.times = new Map();
    for (const [name, { times }] of Object.entries(doc.groups)) {
      if (!times) continue;
      const group = Number(name);
      this.times.set(group, times);
      times.forEach((/** @type {number[]} */ ids, /** @type {number} */ at) => ids.forEach((id, place) => {
        (this.places.get(id) ?? this.places.set(id, []).get(id)).push({ group, at, place });
      }));
    }
  }

  /** The node of the first time that does what this one does. @param {number} id */
  findFirst(id) {
    let first = id;
    for (let again = this.#findLater(first); again; again = this.#findLater(first)) {
      first = this.times.get(again.group)?.[0][again.place] ?? first;
    }
    return first;
  }

  /** @param {number} id */
  #findLater(id) {
    return this.places.get(id)?.find(({ at }) => at > 0);
  }

  /** Which time of each repeat around it a node belongs to. @param {number} id @returns {Map<number, number>} */
  listTimes(id) {
    const times = new Map();
    let first = id;
    for (;;) {
      const again = this.#findLater(first);
      for (const { group, at } of this.places.get(first) ?? []) if (!at && !times.has(group)) times.set(group, 0);
      if (!again) return times;
      times.set(again.group, again.at);
      first = this.times.get(again.group)?.[0][again.place] ?? first;
    }
  }

  /**
   * The node that does what this one does, at the times that are shown.
   * @param {number} id
   * @param {(group: number) => number} read the time of a group that is shown, from 0
   */
  findShown(id, read) {
    let shown = this.findFirst(id);
    for (const { group } of [...(this.places.get(shown) ?? [])].reverse()) {
      const place = this.places.get(shown)?.find((one) => one.group === group)?.place;
      if (place !== undefined) shown = this.times.get(group)?.[read(group)]?.[place] ?? shown;
    }
    return shown;
  }
}

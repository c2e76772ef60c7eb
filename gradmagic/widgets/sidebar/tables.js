// The numbers that TensorFlow computed ahead: every position of every slider of one sample.

/**
 * @typedef {object} Slider
 * @property {"logit" | "confidence" | "smoothing" | "class"} kind
 * @property {number | null} number class of a logit's slider
 * @property {number} count positions
 * @property {number} at the position where it stands
 * @property {number} start row of its first position
 * @property {[number, number][]} stuck where MSE's gradient has vanished and the answer is wrong
 * @property {[number, number][]} right where the answer is right
 * @property {Float32Array} positions ascending
 */

/** Looks numbers up, and computes none. */
export class Table {
  /**
   * @param {Record<string, any>} header what tables.py describes
   * @param {Float32Array} block
   * @param {string[]} scalars names of the columns after those of the classes
   */
  constructor(header, block, scalars) {
    this.version = header.version; // of the batch
    this.sample = header.sample;
    this.moved = header.moved;
    /** @type {number[]} */
    this.shown = header.shown;
    this.trueClass = header.true_class;
    this.scalars = scalars;
    this.width = 3 * this.shown.length + scalars.length;
    let from = 0;
    /** @param {number} count */
    const take = (count) => block.subarray(from, (from += count));
    this.values = take(header.rows * this.width);
    this.targets = take(header.target_rows * this.shown.length);
    this.target = take(this.shown.length);
    this.logits = take(this.shown.length);
    /** @type {Slider[]} */
    this.sliders = header.sliders.map((slider) => ({ ...slider, positions: take(slider.count) }));
    this.scaled = take(this.sliders[this.shown.length].count * this.shown.length);
    this.margins = take(header.margins);
    this.firstTargetRow = header.rows - header.target_rows;
    /** @type {Map<string, number>} */
    this.columns = new Map(scalars.map((name, i) => [name, 3 * this.shown.length + i]));
  }

  /**
   * A number of a slider's position.
   * @param {number} slider
   * @param {number} position
   * @param {string} name one of the scalars
   */
  find(slider, position, name) {
    const column = this.columns.get(name);
    if (column === undefined) throw new Error(`no column ${name}`);
    return this.values[(this.sliders[slider].start + position) * this.width + column];
  }

  /**
   * What a shown class has at a slider's position.
   * @param {number} slider
   * @param {number} position
   * @param {number} at number among the shown classes
   */
  findClass(slider, position, at) {
    const row = (this.sliders[slider].start + position) * this.width;
    const count = this.shown.length;
    return {
      probability: this.values[row + at],
      crossentropy: this.values[row + count + at],
      mse: this.values[row + 2 * count + at],
    };
  }

  /**
   * The targets of the shown classes at a slider's position.
   * @param {number} slider
   * @param {number} position
   */
  findTarget(slider, position) {
    const row = this.sliders[slider].start + position - this.firstTargetRow;
    if (row < 0) return this.target;
    return this.targets.subarray(row * this.shown.length, (row + 1) * this.shown.length);
  }

  /**
   * The true class at a slider's position: another one only on the slider of true classes.
   * @param {number} slider
   * @param {number} position
   */
  findTrueClass(slider, position) {
    const { kind, positions } = this.sliders[slider];
    return kind === "class" ? positions[position] : this.trueClass;
  }

  /**
   * The shown classes' logits at a slider's position.
   * @param {number} slider
   * @param {number} position
   */
  findLogits(slider, position) {
    const { kind, positions } = this.sliders[slider];
    if (kind === "logit") {
      return this.logits.map((logit, i) => (i === slider ? positions[position] : logit));
    }
    if (kind === "confidence") {
      return this.scaled.subarray(position * this.shown.length, (position + 1) * this.shown.length);
    }
    return this.logits;
  }

  /**
   * The position that is nearest to a value.
   * @param {number} slider
   * @param {number} value
   */
  findNearest(slider, value) {
    const { positions } = this.sliders[slider];
    let low = 0;
    let high = positions.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (positions[middle] <= value) low = middle;
      else high = middle;
    }
    return value - positions[low] <= positions[high] - value ? low : high;
  }

  /** The slider of the true class's logit. */
  findTrueSlider() {
    return this.shown.indexOf(this.trueClass);
  }
}

/**
 * The block from what a message or a page brings.
 * @param {DataView | string} raw a view, or base64
 */
export function readBlock(raw) {
  if (typeof raw === "string") {
    return new Float32Array(Uint8Array.from(atob(raw), (letter) => letter.charCodeAt(0)).buffer);
  }
  const { buffer, byteOffset, byteLength } = raw;
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)); // aligned
}

// What the panel asks the kernel: one question at a time, and never an old one.

const PATIENCE = 300; // ms that the hand waits for an answer
const BUSY = 1500; // ms without an answer, after which the kernel is said to be busy

/** A newer question replaces one that waits, so that none queue up. */
export class Questions {
  /**
   * @param {(question: Record<string, any>) => void} send
   * @param {(late: boolean) => void} onLate whether an answer is long in coming
   */
  constructor(send, onLate) {
    this.send = send;
    this.onLate = onLate;
    /** @type {Record<string, any> | null} */
    this.open = null;
    /** @type {Record<string, any> | null} */
    this.next = null;
    this.number = 0;
    this.since = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Record<string, any>} question */
  ask(question) {
    if (!this.open) return void this.#put(question);
    // a slider's move means nothing once another sample was asked for
    if (this.next?.kind === "sample" && question.kind === "move") return;
    this.next = question;
  }

  /** @param {Record<string, any>} question */
  #put(question) {
    this.number += 1;
    this.open = { ...question, number: this.number };
    this.since = performance.now();
    this.timer = setTimeout(() => this.onLate(true), BUSY);
    this.send(this.open);
  }

  /** @param {number} number of the question that an answer is to */
  close(number) {
    if (this.open?.number !== number) return;
    clearTimeout(this.timer);
    this.onLate(false);
    this.open = null;
    const { next } = this;
    this.next = null;
    if (next) this.#put(next);
  }

  /** Whether it is worth while to wait for an answer. */
  isPending() {
    return this.open !== null && performance.now() - this.since < PATIENCE;
  }

  /** The sample that was asked for last and has not come, or null. */
  findSample() {
    return this.next?.sample ?? this.open?.sample ?? null;
  }

  stop() {
    clearTimeout(this.timer);
  }
}

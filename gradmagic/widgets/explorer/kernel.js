// Questions to the kernel: what the document has not, and what only TensorFlow can say.

const PATIENCE_KERNEL = 20000; // ms, after which no answer is awaited any more

/**
 * What tells an answer's question: its kind and what it is about.
 * @param {Record<string, any>} message
 */
export function nameQuestion(message) {
  const { kind, node, group, at, source, index } = message;
  return JSON.stringify([kind, node ?? null, group ?? null, at ?? null, source ?? null, index ?? null]);
}

export class Kernel {
  /**
   * @param {{send(message: any): void, onMessage(hear: (message: any) => void): void} | null} connection
   *   null on a page that was saved
   */
  constructor(connection) {
    this.connection = connection;
    /** @type {Map<string, (answer: any) => void>} */
    this.waiting = new Map();
    connection?.onMessage((message) => this.hear(message));
  }

  get present() {
    return this.connection !== null;
  }

  /** @param {Record<string, any>} message */
  hear(message) {
    const name = nameQuestion(message);
    this.waiting.get(name)?.(message);
    this.waiting.delete(name);
  }

  /**
   * @param {Record<string, any>} question
   * @returns {Promise<any>} the answer; null where there is no kernel, or where none came
   */
  ask(question) {
    const { connection } = this;
    if (!connection) return Promise.resolve(null);
    const name = nameQuestion(question);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(name);
        resolve(null);
      }, PATIENCE_KERNEL);
      const before = this.waiting.get(name);
      this.waiting.set(name, (answer) => {
        clearTimeout(timer);
        before?.(answer);
        resolve(answer);
      });
      connection.send(question);
    });
  }
}

// A panel without a kernel: its tables come with the page.
import { Panel } from "./panel.js";
import { Table, readBlock } from "./tables.js";

/**
 * @param {HTMLElement} root the section
 * @param {Record<string, any>} data
 */
export function mountSaved(root, data) {
  /** @type {Map<number, Table>} */
  const tables = new Map();
  for (const { header, block } of data.tables) {
    const table = new Table(header, readBlock(block), data.batch.scalars);
    tables.set(table.sample, Object.assign(table, { codes: header.codes }));
  }
  const first = /** @type {any} */ ([...tables.values()][0]);
  const codes = { ...data.codes, ...first.codes };
  return new Panel(root, first, {
    batch: data.batch,
    words: data.words,
    codes,
    held: [...tables.keys()],
    find: (sample) => {
      const table = /** @type {any} */ (tables.get(sample));
      if (table) Object.assign(codes, table.codes);
      return table ?? null;
    },
  });
}

/** Bytes of objects that are read between two looks at the disk. Compressed, they take a sixth of it. */
const LOOK_EVERY_BYTES = 16 * 1024 * 1024;

/** An object on its way: `data[start..end)`. */
interface Row {
  start: number;
  end: number;
}

/**
 * Passes batches of objects on, and looks at the disk of the store again and again as they grow.
 * @param checkRoom throws when there is no room: the batches end with its error.
 */
export async function* whileThereIsRoom<T extends Row>(
  batches: AsyncIterable<T[]>,
  checkRoom: () => Promise<void>,
): AsyncGenerator<T[]> {
  let unchecked = 0;
  for await (const rows of batches) {
    for (const { start, end } of rows) unchecked += end - start;
    if (unchecked >= LOOK_EVERY_BYTES) {
      unchecked = 0;
      await checkRoom();
    }
    yield rows;
  }
}

/** Looks at the disk while an export grows. */
import { countBytes, type RowFrame } from '../source/frames.ts';

/** Bytes of objects that are read between two looks at the disk. Compressed, they take a sixth of it. */
const LOOK_EVERY_BYTES = 16 * 1024 * 1024;

/**
 * Passes batches of objects on, and looks at the disk of the store again and again as they grow.
 * @param checkRoom throws when there is no room: the batches end with its error.
 */
export async function* whileThereIsRoom(
  batches: AsyncIterable<RowFrame[]>,
  checkRoom: () => Promise<void>,
): AsyncGenerator<RowFrame[]> {
  let unchecked = 0;
  for await (const rows of batches) {
    unchecked += countBytes(rows);
    if (unchecked >= LOOK_EVERY_BYTES) {
      unchecked = 0;
      await checkRoom();
    }
    yield rows;
  }
}

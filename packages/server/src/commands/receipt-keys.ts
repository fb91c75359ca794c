/** The operator's commands `receipt-keys list` and `rotate`. */
import { listStoredKeys, readStoredKeys, rotateStoredKeys } from '../receipts/key-store.ts';
import { formatTable, formatTime } from './format.ts';
import { print } from './print.ts';
import { withDatabase } from './run.ts';

export async function listReceiptKeysCommand(signal: AbortSignal): Promise<void> {
  await withDatabase(signal, async ({ pool }, { receiptKeyFiles }) => {
    if (receiptKeyFiles !== null)
      await print(`TILLROLL_RECEIPT_KEYS is set: ${receiptKeyFiles.join(', ')}\n`);
    await readStoredKeys(pool);
    const rows = (await listStoredKeys(pool)).map(({ id, createdTime, retiredTime }) => [
      id,
      formatTime(createdTime),
      retiredTime === null ? 'signs' : `retired ${formatTime(retiredTime)}`,
    ]);
    await print(`${formatTable([['KEY', 'CREATED', 'STATE'], ...rows]).join('\n')}\n`);
  });
}

export async function rotateReceiptKeysCommand(signal: AbortSignal): Promise<void> {
  await withDatabase(signal, async ({ pool }, { receiptKeyFiles }) => {
    if (receiptKeyFiles !== null)
      throw new Error(
        'TILLROLL_RECEIPT_KEYS is set, so the keys of the database do not sign: put a new file first in it',
      );
    const id = await rotateStoredKeys(pool);
    await print(`${id} signs from now on, in every process within a minute\n`);
  });
}

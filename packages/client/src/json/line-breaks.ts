const LF = 10;
const CR = 13;

/** Copies an object without the line breaks between its tokens; those inside strings are escaped. */
export function removeLineBreaks(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (byte !== LF && byte !== CR) copy[length++] = byte;
  }
  return copy.subarray(0, length);
}

/**
 * Frees the memory of a buffer that nobody uses any more: garbage collection would let dozens of them pile up.
 * One that shares its memory with others is left alone.
 */
export function freeBuffer({ buffer, byteOffset }: Buffer): void {
  const isOwn = byteOffset === 0 && buffer.byteLength > Buffer.poolSize;
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/**
 * Frees the memory of a buffer that is no longer used: garbage collection would let dozens of them accumulate.
 * One that shares its memory with others is left alone.
 */
export function freeBuffer({ buffer, byteOffset, length }: Buffer): void {
  // Node cuts small buffers from a larger piece of memory, each less than half of it.
  const isOwn = byteOffset === 0 && length > buffer.byteLength / 2;
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

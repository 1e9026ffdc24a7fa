/** Compares texts by their bytes in UTF-8, as every database here does: code points in ascending order. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** The size of a block, in bytes. Most turns send less than this on a connection. */
export const BLOCK_BYTES = 16 * 1024
const MAX_FREE = 64

/** Blocks of memory for writing frames. A block is reused by other connections after it has been sent. */
export class BlockPool {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  /** Call this when nothing reads the block any more. */
  giveBack(block: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(block)
  }
}

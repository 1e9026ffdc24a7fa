/** What most turns send on a connection fits in one of them. */
export const BLOCK_BYTES = 16 * 1024
const MAX_FREE = 64

/** Blocks of memory that frames are written into, used again by other connections once they have been sent. */
export class BlockPool {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  /** To be called when nothing reads the block any more. */
  giveBack(block: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(block)
  }
}

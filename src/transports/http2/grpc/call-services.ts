import type { Inflater } from './compression.ts'
import type { HeaderBlocks } from './header-blocks.ts'
import type { ReceiveBudget } from './receive-budget.ts'

/** What the calls of a server share. */
export interface CallServices {
  readonly maxMessageBytes: number
  readonly blocks: HeaderBlocks
  /** The block of trailers of a call that ended well. */
  readonly okTrailers: Uint8Array
  readonly inflater: Inflater
  /** `null`: what is on its way is bounded by flow control and the largest message alone. */
  readonly budget: ReceiveBudget | null
}

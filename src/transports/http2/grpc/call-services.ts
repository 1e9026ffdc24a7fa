import type { Inflater } from './compression.ts'
import type { HeaderBlocks } from './header-blocks.ts'
import type { ReceiveBudget } from './receive-budget.ts'

/** The services that all calls of a server share. */
export interface CallServices {
  readonly maxMessageBytes: number
  readonly blocks: HeaderBlocks
  /** The trailers of a successful call. */
  readonly okTrailers: Uint8Array
  readonly inflater: Inflater
  /** `null`: only flow control and the largest message limit incoming data. */
  readonly budget: ReceiveBudget | null
}

import type { CallContext } from '../../context.ts'
import type { EpochMs } from '../../domain/ids.ts'

/** What a store needs of a call: how long to try, and when to stop. */
export type StoreContext = Pick<CallContext, 'signal' | 'deadline' | 'log' | 'rayId' | 'now' | 'span'>

/** Who changed a row, and when. */
export interface Change {
  readonly at: EpochMs
  readonly by: string
}

/** A page of a list in a fixed order; `after` is the key of the last item of the page before. */
export interface PageRequest<Key> {
  readonly after: Key | null
  readonly limit: number
}

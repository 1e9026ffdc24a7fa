import type { CallContext } from '../../context.ts'
import type { EpochMs } from '../../domain/ids.ts'

/** The part of a call's context that a store needs: the time limit and the cancellation. */
export type StoreContext = Pick<CallContext, 'signal' | 'deadline' | 'log' | 'rayId' | 'now' | 'span'>

/** Who changed a row, and when. */
export interface Change {
  readonly at: EpochMs
  readonly by: string
}

/** A page of a list in a fixed order. `after` is the key of the last item of the previous page. */
export interface PageRequest<Key> {
  readonly after: Key | null
  readonly limit: number
}

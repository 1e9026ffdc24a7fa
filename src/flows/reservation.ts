import type { Result } from '../results.ts'
import type { FlowContext } from './context.ts'

/**
 * What a call spends before it writes, such as a part of its client's rate. The
 * runner takes the reservations of a flow in their order, once its preconditions
 * hold. Where nothing comes of the flow (a later reservation refuses, a race is
 * lost, the database fails) it releases those that were taken, the last one first.
 */
export interface Reservation<Facts extends object> {
  /** A claim, like the name of a condition. Logged, never sent. */
  readonly name: string
  readonly take: (ctx: FlowContext, facts: Readonly<Facts>) => Promise<Result<object>> | Result<object>
  /**
   * Undoes `take`. Quick, and never throws. `null`: what was spent stays spent,
   * so a call takes it once, however often it loses a race.
   */
  readonly release: ((ctx: FlowContext, facts: Readonly<Facts>) => void) | null
}

export function reservation<Facts extends object>(value: Reservation<Facts>): Reservation<Facts> {
  return Object.freeze(value)
}

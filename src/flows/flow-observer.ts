import type { GrantType } from '../domain/client.ts'

/** Sees what flows bring about. It is told in the path of calls, so it is quick and never throws. */
export interface FlowObserver {
  /** So many access tokens were issued: they are durable. A repeated answer issues none. */
  tokensIssued(grant: GrantType, count: number): void
  /** A flow found that another call had been faster, and is judged anew. */
  raceLost(flow: string): void
}

import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { EndedFact } from '../../../domain/revocation.ts'

/** The last rows of a transaction: its audit events, and the facts that it ended early. */
export interface LastRows {
  readonly events: readonly AuditEvent[]
  readonly ended: readonly EndedFact[]
}

/** Collects the last rows until the end of the transaction, when they get their places in the writer's sequence. */
export class LastRowsCollector implements LastRows {
  events: AuditEvent[] = []
  ended: EndedFact[] = []

  /** Starts over for another transaction. */
  reset(): void {
    this.events = []
    this.ended = []
  }
}

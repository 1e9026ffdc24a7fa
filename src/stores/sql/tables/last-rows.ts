import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { EndedFact } from '../../../domain/revocation.ts'

/** What a transaction writes last: its audit events, and what it ended early. */
export interface LastRows {
  readonly events: readonly AuditEvent[]
  readonly ended: readonly EndedFact[]
}

/** Collects what is written last until the transaction ends, when it is given its place among what the writer wrote. */
export class LastRowsCollector implements LastRows {
  events: AuditEvent[] = []
  ended: EndedFact[] = []

  /** Begins with another transaction. */
  reset(): void {
    this.events = []
    this.ended = []
  }
}

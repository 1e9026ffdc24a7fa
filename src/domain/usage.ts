import type { AuditEvent } from './audit-event.ts'
import { type ClientId, type EpochMs, epochMs, type Milliseconds, milliseconds } from './ids.ts'

const DAY: Milliseconds = milliseconds(86_400_000)

/** How often a client requested and was granted a scope on one day. */
export interface ScopeCount {
  /** The start of the day in UTC. */
  readonly day: EpochMs
  readonly clientId: ClientId
  readonly scope: string
  readonly asked: number
  readonly granted: number
}

/** The scopes that one client used on one day. */
export interface ClientUsage {
  readonly day: EpochMs
  readonly clientId: ClientId
  /** In byte order. */
  readonly scopes: readonly Pick<ScopeCount, 'scope' | 'asked' | 'granted'>[]
}

/** Events of these types record the scopes of an access token. */
const GRANTS: ReadonlySet<string> = new Set(['token.issued', 'token.refreshed', 'token.exchanged', 'device.redeemed'])
/** Events of these types record the scopes that a user was asked for. */
const ASKS: ReadonlySet<string> = new Set(['device.started', 'authorization.granted'])

/** The counts that these events add, ordered by key, so that concurrent writers lock rows in the same order. */
export function countScopes(events: readonly AuditEvent[]): readonly ScopeCount[] {
  const counts = new Map<string, ScopeCount>()
  for (const { type, clientId, metadata, createdAt } of events) {
    const [asks, grants] = [ASKS.has(type), GRANTS.has(type)]
    if (clientId === null || (!asks && !grants)) continue
    const day = epochMs(createdAt - (createdAt % DAY))
    for (const scope of (metadata['scopes'] ?? '').split(' ').filter(Boolean)) {
      const name = `${day} ${clientId} ${scope}`
      const { asked, granted } = counts.get(name) ?? { asked: 0, granted: 0 }
      counts.set(name, { day, clientId, scope, asked: asked + Number(asks), granted: granted + Number(grants) })
    }
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
}

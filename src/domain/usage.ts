import type { AuditEvent } from './audit-event.ts'
import { type ClientId, type EpochMs, epochMs, type Milliseconds, milliseconds } from './ids.ts'

const DAY: Milliseconds = milliseconds(86_400_000)

/** How often a scope was asked for and granted by one client on one day. */
export interface ScopeCount {
  /** When it began, in UTC. */
  readonly day: EpochMs
  readonly clientId: ClientId
  readonly scope: string
  readonly asked: number
  readonly granted: number
}

/** What one client used on one day. */
export interface ClientUsage {
  readonly day: EpochMs
  readonly clientId: ClientId
  /** In byte order. */
  readonly scopes: readonly Pick<ScopeCount, 'scope' | 'asked' | 'granted'>[]
}

/** Events of these types tell which scopes an access token has. */
const GRANTS: ReadonlySet<string> = new Set(['token.issued', 'token.refreshed', 'token.exchanged', 'device.redeemed'])
/** And of these which ones a user was asked for. */
const ASKS: ReadonlySet<string> = new Set(['device.started', 'authorization.granted'])

/** What events add to the counts, in the order of their keys, so that two who add lock rows in one order. */
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

import { UsageProjection } from '../../src/app/audit-sinks/usage-projection.ts'
import { AuditFollower } from '../../src/app/jobs/audit-follower.ts'
import { milliseconds } from '../../src/domain/ids.ts'
import type { TestServer } from './server.ts'

const RETENTION = milliseconds(30 * 86_400_000)
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** The follower that counts used scopes, as in a server. It is not started. Counts are kept for 30 days. */
export function usageFollower({ app, clock }: TestServer): AuditFollower {
  return new AuditFollower({
    projection: new UsageProjection(clock.now, RETENTION),
    feed: app.auditFeed,
    backend: app.backend,
    log: silent,
    now: clock.now,
    monotonic: () => performance.now(),
  })
}

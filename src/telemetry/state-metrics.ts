import { performance } from 'node:perf_hooks'
import type { KeySource } from '../auth/key-sources.ts'
import type { PurgeKind } from '../domain/expiry.ts'
import type { SigningAlgorithm, SigningKeyState } from '../domain/signing-key.ts'
import type { BackendLoad, PoolLoad } from '../stores/contract/backend.ts'
import { type AuditState, auditMetrics } from './audit-metrics.ts'
import { keyAgeMetric } from './key-metrics.ts'
import { type Definition, type Metric, Reading, type Sample, single } from './metric.ts'

/** The totals of the purge since the process started, and its last count of the backlog. */
export interface PurgeState {
  readonly rounds: number
  readonly failures: number
  readonly deleted: Readonly<Record<PurgeKind, number>>
  readonly erasedReplays: number
  readonly backlog: Readonly<Record<PurgeKind, { readonly count: number; readonly oldestAgeMs: number | null }>>
  readonly lookedAt: number | null
}

/** A signing key that is published. */
export interface KeyState {
  readonly algorithm: SigningAlgorithm
  readonly state: SigningKeyState
  /** The time of its preparation or, if later, of its activation. */
  readonly ageMs: number
}

/** The state of the verifiers that poll revocations. */
export interface PollState {
  /** The number of waiting polls. */
  readonly waiting: number
  /** The number of queries that were sent for them. */
  readonly queries: number
}

/** The parts of a running server whose state is read with each scrape. */
export interface ServerState {
  readonly serving: () => boolean
  readonly draining: () => boolean
  readonly load: () => BackendLoad
  readonly purge: () => PurgeState
  readonly polls: () => PollState
  readonly audit: () => AuditState
  /** How far the clock of this machine is ahead of the database's, in milliseconds; `null` if not compared yet. */
  readonly clockAheadMs: () => number | null
  /** For each source of keys, the greatest age of those in use, in milliseconds. */
  readonly keyAges: () => ReadonlyMap<KeySource, number>
  /** Read from the database; an empty list if that fails. */
  readonly signingKeys: () => Promise<readonly KeyState[]>
}

const POOLS = Object.freeze(['read', 'append', 'transaction'] as const)

/** The metrics of the current state of a server. `version` is that of QScope. */
export function stateMetrics(server: ServerState, version: string): readonly Metric[] {
  const gauge = (definition: Omit<Definition, 'type'>): Definition => ({ ...definition, type: 'gauge' })
  const counter = (definition: Omit<Definition, 'type'>): Definition => ({ ...definition, type: 'counter' })
  const pool = (name: string, help: string, value: (load: PoolLoad) => number) =>
    new Reading(gauge({ name, help, labels: ['pool'] }), () => {
      const { pools } = server.load()
      return POOLS.map((each) => ({ labels: { pool: each }, value: value(pools[each]) }))
    })
  const purged = <T>(of: (state: PurgeState) => Readonly<Record<PurgeKind, T>>, value: (each: T) => number) =>
    byKind(() => of(server.purge()), value)

  return [
    new Reading(
      gauge({
        name: 'qscope_build_info',
        help: 'Always 1; the labels show the versions of QScope and of Node.js.',
        labels: ['version', 'node_version'],
        aggregation: 'max',
      }),
      () => [{ labels: { version, node_version: process.version }, value: 1 }],
    ),
    new Reading(
      gauge({
        name: 'qscope_serving',
        help: 'Whether the server accepts calls: 1, or 0 while the database cannot be used or the server stops.',
        labels: [],
        aggregation: 'min',
      }),
      () => single(server.serving() ? 1 : 0),
    ),
    new Reading(
      gauge({
        name: 'qscope_draining',
        help: 'Whether the server is stopping: 1 while running calls may finish, otherwise 0.',
        labels: [],
        aggregation: 'max',
      }),
      () => single(server.draining() ? 1 : 0),
    ),
    new Reading(
      gauge({
        name: 'qscope_clock_ahead_seconds',
        help: "By how much this machine's clock is ahead of that of the database server; negative: behind. Beyond QSCOPE_MAX_CLOCK_SKEW no tokens are issued.",
        labels: [],
        aggregation: 'max',
      }),
      () => {
        const aheadMs = server.clockAheadMs()
        return aheadMs === null ? [] : single(aheadMs / 1_000)
      },
    ),
    new Reading(
      counter({
        name: 'qscope_event_loop_active_seconds_total',
        help: 'Seconds in which the event loop was busy. The rate is the used share of the one processor core that calls can use.',
        labels: [],
      }),
      () => single(performance.eventLoopUtilization().active / 1_000),
    ),
    pool('qscope_database_connections', 'The maximum number of connections to the database.', ({ size }) => size),
    pool('qscope_database_connections_used', 'Connections to the database that are in use.', ({ used }) => used),
    pool(
      'qscope_database_connections_waiting',
      'Calls and batches that wait for a connection.',
      ({ waiting }) => waiting,
    ),
    new Reading(
      gauge({
        name: 'qscope_database_waiting',
        help: 'Items that wait for the next batch.',
        labels: ['lane'],
      }),
      () => {
        const { waitingLookUps, waitingEntries } = server.load()
        return [
          { labels: { lane: 'read' }, value: waitingLookUps },
          { labels: { lane: 'append' }, value: waitingEntries },
        ]
      },
    ),
    new Reading(
      gauge({
        name: 'qscope_revocation_polls_waiting',
        help: 'Calls of PollRevocations that wait for a revocation, or for the end of their time.',
        labels: [],
      }),
      () => single(server.polls().waiting),
    ),
    new Reading(
      counter({
        name: 'qscope_revocation_queries_total',
        help: 'Queries for revocations. One query serves all waiting callers; without them there are no queries.',
        labels: [],
      }),
      () => single(server.polls().queries),
    ),
    ...auditMetrics(() => server.audit()),
    keyAgeMetric(() => server.keyAges()),
    new Reading(
      counter({ name: 'qscope_purge_rounds_total', help: 'Rounds in which this process purged.', labels: [] }),
      () => single(server.purge().rounds),
    ),
    new Reading(
      counter({
        name: 'qscope_purge_failures_total',
        help: 'Rounds and sweeps of the purge that a fault of the database ended.',
        labels: [],
      }),
      () => single(server.purge().failures),
    ),
    new Reading(
      counter({ name: 'qscope_purged_rows_total', help: 'Expired rows that were deleted.', labels: ['kind'] }),
      purged(
        ({ deleted }) => deleted,
        (count) => count,
      ),
    ),
    new Reading(
      counter({
        name: 'qscope_purge_erased_replays_total',
        help: 'Answers kept for lost refresh responses that were erased.',
        labels: [],
      }),
      () => single(server.purge().erasedReplays),
    ),
    new Reading(
      gauge({
        name: 'qscope_purge_backlog_rows',
        help: 'Expired rows that waited for deletion at the last check, counted up to 10,000.',
        labels: ['kind'],
        aggregation: 'max',
      }),
      purged(
        ({ backlog }) => backlog,
        ({ count }) => count,
      ),
    ),
    new Reading(
      gauge({
        name: 'qscope_purge_oldest_seconds',
        help: 'How long the deletion of the oldest expired row was overdue at the last check; 0 if none waited.',
        labels: ['kind'],
        aggregation: 'max',
      }),
      purged(
        ({ backlog }) => backlog,
        ({ oldestAgeMs }) => (oldestAgeMs ?? 0) / 1_000,
      ),
    ),
    new Reading(
      gauge({
        name: 'qscope_purge_last_look_timestamp_seconds',
        help: 'When this process last checked for expired rows; absent before the first check.',
        labels: [],
        aggregation: 'max',
      }),
      () => {
        const { lookedAt } = server.purge()
        return lookedAt === null ? [] : single(lookedAt / 1_000)
      },
    ),
    new Reading(
      gauge({
        name: 'qscope_signing_key_age_seconds',
        help: 'Age of the oldest published signing key, since it was prepared or activated; absent without keys, or while the database does not answer.',
        labels: ['algorithm', 'state'],
        aggregation: 'max',
      }),
      async () => oldest(await server.signingKeys()),
    ),
  ]
}

function byKind<T>(of: () => Readonly<Record<PurgeKind, T>>, value: (each: T) => number): () => readonly Sample[] {
  return () => Object.entries<T>(of()).map(([kind, each]) => ({ labels: { kind }, value: value(each) }))
}

function oldest(keys: readonly KeyState[]): readonly Sample[] {
  const ages = new Map<string, Sample>()
  for (const { algorithm, state, ageMs } of keys) {
    const name = `${algorithm} ${state}`
    const value = Math.max(ageMs / 1_000, ages.get(name)?.value ?? 0)
    ages.set(name, { labels: { algorithm, state }, value })
  }
  return [...ages.values()]
}

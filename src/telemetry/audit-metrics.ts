import { type Definition, type Metric, Reading, type Sample, single } from './metric.ts'

/** A sink or projection of audit events in this process. */
export interface FollowerState {
  /** One of a closed set: the names of sinks and projections. */
  readonly name: string
  /** Whether this process does it now. Of all processes that share a database, one does. */
  readonly isFollowing: boolean
  /** The time since which committed events may wait for delivery; `null` if this process does not follow, or does not know yet. */
  readonly lagMs: number | null
  readonly delivered: number
  readonly failures: number
}

/** The state of the streams that follow the audit log. */
export interface AuditState {
  /** How many streams of WatchAuditEvents are open. */
  readonly watches: number
  /** The number of queries that were sent for them. */
  readonly queries: number
  readonly followers: readonly FollowerState[]
}

/** The metrics of the followers of the audit log. */
export function auditMetrics(state: () => AuditState): readonly Metric[] {
  const ofFollowers = (definition: Omit<Definition, 'labels'>, value: (follower: FollowerState) => number | null) =>
    new Reading({ ...definition, labels: ['follower'] }, () =>
      state().followers.flatMap((follower): readonly Sample[] => {
        const known = value(follower)
        return known === null ? [] : [{ labels: { follower: follower.name }, value: known }]
      }),
    )
  return [
    new Reading(
      { name: 'qscope_audit_watches', type: 'gauge', help: 'Streams of WatchAuditEvents that are open.', labels: [] },
      () => single(state().watches),
    ),
    new Reading(
      {
        name: 'qscope_audit_queries_total',
        type: 'counter',
        help: 'Queries for new audit events. One query serves all waiting callers; without them there are no queries.',
        labels: [],
      },
      () => single(state().queries),
    ),
    ofFollowers(
      {
        name: 'qscope_audit_follower_active',
        type: 'gauge',
        help: 'Whether this process delivers or counts audit events: 1, or 0 while another one does.',
        aggregation: 'max',
      },
      ({ isFollowing }) => (isFollowing ? 1 : 0),
    ),
    ofFollowers(
      {
        name: 'qscope_audit_delivery_lag_seconds',
        type: 'gauge',
        help: 'How long committed audit events may have waited for delivery or counting. Only the process that does it has this metric.',
        aggregation: 'max',
      },
      ({ lagMs }) => (lagMs === null ? null : lagMs / 1_000),
    ),
    ofFollowers(
      {
        name: 'qscope_audit_delivered_events_total',
        type: 'counter',
        help: 'Audit events that this process delivered or counted. Repeated deliveries count again.',
      },
      ({ delivered }) => delivered,
    ),
    ofFollowers(
      {
        name: 'qscope_audit_delivery_failures_total',
        type: 'counter',
        help: 'How often audit events could not be delivered or counted, and were tried again.',
      },
      ({ failures }) => failures,
    ),
  ]
}

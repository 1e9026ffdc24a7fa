import type { Diagnostic } from '../../../contract/backend.ts'
import { UnfitHostError } from '../../core/database-error.ts'
import type { Execute } from '../../core/dialect.ts'
import {
  type DiagnosticRow,
  diagnostic,
  diagnosticPairs,
  diagnosticRow,
  diagnosticRows,
  settingDiagnostic,
} from '../../diagnostics.ts'
import type { RawConnection, SessionUse } from '../../server/driver.ts'
import type { SessionSetting } from '../../server/session-settings.ts'

const GROUP_NAME = 'group_replication_group_name'
const SINGLE_PRIMARY = 'group_replication_single_primary_mode'
const CONSISTENCY = 'group_replication_consistency'

/** The variables of a group. A server without the plugin has none of them. */
export const GROUP_VARIABLES: readonly string[] = [GROUP_NAME, SINGLE_PRIMARY, CONSISTENCY]

const MAJORITY_TIMEOUT = 'group_replication_unreachable_majority_timeout'
const EXIT_ACTION = 'group_replication_exit_state_action'

/** Queried only by `doctor`. */
const BEHAVIOUR = `show global variables where variable_name in ('${MAJORITY_TIMEOUT}', '${EXIT_ACTION}')`

/** A member's view of its group. */
const GROUP_MEMBERS = `select member_host as host, member_port as port, member_state as state,
  member_role as role, member_id = @@server_uuid as own from performance_schema.replication_group_members`

/** Writes on a new primary wait for the commits of the old one. */
const WRITES_WITH_ONE_PRIMARY: SessionSetting = {
  name: CONSISTENCY,
  value: "'BEFORE_ON_PRIMARY_FAILOVER'",
  shown: ['before_on_primary_failover', 'before', 'before_and_after'],
}
/**
 * A transaction waits for all earlier commits of all members. This also matters with one primary: after it was cut off,
 * another primary commits, and the old one would answer with stale data.
 */
const BEFORE: SessionSetting = { name: CONSISTENCY, value: "'BEFORE'", shown: ['before', 'before_and_after'] }

/** Whether the variables show a member of a group. */
export function isGroupMember(reported: ReadonlyMap<string, string>): boolean {
  return (reported.get(GROUP_NAME) ?? '') !== ''
}

/**
 * The additional settings of sessions on this member. Empty without a group. With one primary, writes need not wait before
 * they begin, because they commit only with the group's consent.
 */
export function groupSettings(reported: ReadonlyMap<string, string>, use: SessionUse): readonly SessionSetting[] {
  if (!isGroupMember(reported)) return []
  const hasManyPrimaries = reported.get(SINGLE_PRIMARY)?.toLowerCase() === 'off'
  return [use === 'reads' || hasManyPrimaries ? BEFORE : WRITES_WITH_ONE_PRIMARY]
}

/**
 * A member without the majority continues to answer with old data, such as tokens that were revoked since. It must therefore
 * be listed in the majority, if the list can be read, and reach agreement with the others now. The list alone is not enough:
 * a member learns only after seconds that others have gone or expelled it.
 */
export async function assertInMajority(
  connection: Pick<RawConnection, 'query'>,
  reported: ReadonlyMap<string, string>,
): Promise<void> {
  const members = await groupMembers(({ sql }) => connection.query(sql))
  const problem = members === null ? null : groupProblem(members)
  if (problem !== null) throw new UnfitHostError(problem)
  const consistency = reported.get(CONSISTENCY)
  // MySQL before 8.0.14 does not have this variable.
  if (consistency !== undefined) await assertAgrees(connection, consistency)
}

/** An agreement takes a few milliseconds if the majority is reachable. */
const AGREEMENT_MS = 1_000
const DISAGREES = `this member of the group could not agree with the majority within ${AGREEMENT_MS} ms`

/**
 * A transaction that begins at BEFORE waits until the group orders a message. This takes the majority, so success proves
 * membership now. Without the majority, it waits forever.
 */
async function assertAgrees(connection: Pick<RawConnection, 'query'>, consistency: string): Promise<void> {
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new UnfitHostError(DISAGREES)), AGREEMENT_MS)
  try {
    await Promise.race([beginAtBefore(connection, consistency), expired])
  } finally {
    clearTimeout(timer)
  }
}

async function beginAtBefore(connection: Pick<RawConnection, 'query'>, consistency: string): Promise<void> {
  const setTo = (value: string) => connection.query(`set session ${CONSISTENCY} = ${value}`)
  const isSet = BEFORE.shown.includes(consistency.toLowerCase())
  if (!isSet) await setTo(BEFORE.value)
  await connection.query('begin')
  await connection.query('rollback')
  if (!isSet) await setTo(`'${consistency}'`)
}

/** `null`: this user may not read the members. */
async function groupMembers(execute: Execute): Promise<readonly DiagnosticRow[] | null> {
  try {
    return await diagnosticRows(execute, GROUP_MEMBERS)
  } catch (error) {
    if (isDenied(error)) return null
    throw error
  }
}

/** Members that count for the majority. A RECOVERING one votes, too. */
const VOTERS: ReadonlySet<string> = new Set(['ONLINE', 'RECOVERING'])

/** Why this member must not be used. `null`: it may. */
function groupProblem(members: readonly DiagnosticRow[]): string | null {
  if (members.length === 0) return null
  const own = ownState(members)
  if (own !== 'ONLINE') return `this member of the group is ${own}: it does not take part`
  if (hasMajority(members)) return null
  return 'this member of the group has no majority: it is cut off from most of the others'
}

/** A server outside of its group lists only itself, or has no name in the list. */
function ownState(members: readonly DiagnosticRow[]): string {
  return members.find((member) => member.get('own') === '1')?.get('state') ?? 'OFFLINE'
}

function hasMajority(members: readonly DiagnosticRow[]): boolean {
  return members.filter((member) => VOTERS.has(member.get('state') ?? '')).length * 2 > members.length
}

/** ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR */
const DENIALS: ReadonlySet<unknown> = new Set([1142, 1143, 1044])

function isDenied(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {}
  return cause instanceof Error && 'errno' in cause && DENIALS.has(cause.errno)
}

/** With two members, the loss of one leaves no majority. */
const FEWEST_MEMBERS = 3

/** For `doctor`. Empty if the server is not a member of a group. */
export async function groupDiagnostics(execute: Execute, reported: DiagnosticRow): Promise<readonly Diagnostic[]> {
  if (!isGroupMember(reported)) return []
  const members = await groupMembers(execute)
  const mode = reported.get(SINGLE_PRIMARY)?.toLowerCase() === 'off' ? 'several primaries' : 'one primary'
  const settings = [
    diagnostic('group mode', mode),
    diagnostic(CONSISTENCY, reported.get(CONSISTENCY) ?? 'unknown'),
    ...behaviourDiagnostics(await diagnosticPairs(execute, BEHAVIOUR)),
  ]
  if (members === null) {
    const about = await diagnosticRow(execute, 'select current_user() as user')
    const user = (about.get('user') ?? '').replace(/^(.*)@(.*)$/, "'$1'@'$2'")
    const warning = `QScope cannot see the members of the group, and notices that this one lost the majority only when it stops answering: grant select on performance_schema.replication_group_members to ${user};`
    return [diagnostic('group members', 'not visible', warning), ...settings]
  }
  const list = members.map((member) => `${member.get('host')}:${member.get('port')} ${member.get('state')}`)
  const own = members.find((member) => member.get('own') === '1')
  const few = 'the group stops if one more member is lost: run three or more'
  const problem = groupProblem(members)
  return [
    diagnostic('group members', list.join(', ') || 'none', members.length < FEWEST_MEMBERS ? few : null),
    diagnostic(
      'group member',
      `${ownState(members)}, ${(own?.get('role') ?? 'no role').toLowerCase()}`,
      problem === null ? null : `${problem}; name another host first`,
    ),
    ...settings,
  ]
}

/** How a member behaves when it is cut off or leaves. */
function behaviourDiagnostics(behaviour: DiagnosticRow): readonly Diagnostic[] {
  const seconds = behaviour.get(MAJORITY_TIMEOUT) ?? 'unknown'
  const forEver =
    'a member that is cut off from the majority lets commits wait forever, and returns old rows to callers that do not check the group: set it to more seconds than an election takes, such as 30'
  return [
    seconds === '0'
      ? diagnostic(MAJORITY_TIMEOUT, '0 (it waits forever)', forEver)
      : diagnostic(MAJORITY_TIMEOUT, `${seconds} s`),
    ...settingDiagnostic(
      behaviour,
      EXIT_ACTION,
      ['read_only', 'offline_mode', 'abort_server'],
      'a member that left its group must not accept writes: set it to READ_ONLY, OFFLINE_MODE or ABORT_SERVER',
    ),
  ]
}

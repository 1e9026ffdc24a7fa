import { describe, expect, test } from 'vitest'
import type { Execute } from '../../src/stores/sql/core/dialect.ts'
import { databaseErrorOf } from '../../src/stores/sql/dialects/mysql/errors.ts'
import { assertInMajority, groupDiagnostics, groupSettings } from '../../src/stores/sql/dialects/mysql/group.ts'
import { warningsOf } from './given.ts'

/** Members with these states; the first one is queried. */
const listing = (...states: readonly string[]) => ({
  rows: states.map((state, n) => ({
    host: '127.0.0.1',
    port: 3306 + n,
    state,
    role: n === 0 ? 'PRIMARY' : 'SECONDARY',
    own: n === 0 ? 1 : 0,
  })),
  affected: 0,
})
const check = (...states: readonly string[]) => assertInMajority({ query: async () => listing(...states) }, ofGroup())
const denied: unknown = databaseErrorOf(Object.assign(new Error('SELECT command denied'), { errno: 1142 }))
const ofGroup = (over: object = {}) =>
  new Map(
    Object.entries({
      group_replication_group_name: 'g',
      group_replication_single_primary_mode: 'ON',
      group_replication_consistency: 'BEFORE_ON_PRIMARY_FAILOVER',
      ...over,
    }),
  )

describe('a member of a group', () => {
  test.each([[['ONLINE']], [['ONLINE', 'ONLINE', 'UNREACHABLE']], [['ONLINE', 'RECOVERING', 'UNREACHABLE']], [[]]])(
    'is used while it is in the majority: %j',
    async (states) => {
      await check(...states)
    },
  )

  test.each([
    [['ONLINE', 'UNREACHABLE', 'UNREACHABLE'], /no majority/],
    [['ONLINE', 'UNREACHABLE'], /no majority/],
    [['RECOVERING', 'ONLINE', 'ONLINE'], /is RECOVERING/],
    [['ERROR'], /is ERROR/],
    [['OFFLINE'], /is OFFLINE/],
  ])('is left when it is not: %j', async (states, message) => {
    await expect(check(...states)).rejects.toMatchObject({ kind: 'lost', message: expect.stringMatching(message) })
  })

  test('is used without this check by a user who may not read the members', async () => {
    const refuseLook = (why: unknown) => async (sql: string) => {
      if (sql.includes('replication_group_members')) throw why
      return listing()
    }
    await assertInMajority({ query: refuseLook(denied) }, ofGroup())
    const other = databaseErrorOf(Object.assign(new Error('gone'), { errno: 1053 }))
    await expect(assertInMajority({ query: refuseLook(other) }, ofGroup())).rejects.toBe(other)
  })

  test.each([
    ['BEFORE_ON_PRIMARY_FAILOVER', ['BEFORE', 'BEFORE_ON_PRIMARY_FAILOVER']],
    ['BEFORE_AND_AFTER', []],
  ])('has to agree with the others, and its session settings are restored: %s', async (consistency, set) => {
    const sent: string[] = []
    const query = async (sql: string) => {
      sent.push(sql)
      return listing('ONLINE')
    }
    await assertInMajority({ query }, ofGroup({ group_replication_consistency: consistency }))
    expect(sent.slice(1).filter((sql) => !sql.startsWith('set'))).toEqual(['begin', 'rollback'])
    expect(sent.flatMap((sql) => /consistency = '(.*)'/.exec(sql)?.[1] ?? [])).toEqual(set)
  })

  test('is not asked to agree on a server without this feature', async () => {
    const sent: string[] = []
    const query = async (sql: string) => {
      sent.push(sql)
      return listing('ONLINE')
    }
    await assertInMajority({ query }, new Map([['group_replication_group_name', 'g']]))
    expect(sent).toHaveLength(1)
  })

  test('is left when it lists all others but none of them answers', async () => {
    const query = (sql: string) =>
      sql === 'begin' ? new Promise<never>(() => undefined) : Promise.resolve(listing('ONLINE', 'ONLINE', 'ONLINE'))
    await expect(assertInMajority({ query }, ofGroup())).rejects.toMatchObject({
      name: 'DatabaseError',
      kind: 'lost',
      message: expect.stringContaining('could not agree with the majority'),
    })
  })

  test('makes reads wait for commits of all members, and writes, too, with several primaries', () => {
    expect(groupSettings(new Map(), 'reads')).toEqual([])
    const valuesOf = (use: 'reads' | 'writes', mode: string) =>
      groupSettings(ofGroup({ group_replication_single_primary_mode: mode }), use).map(({ value }) => value)
    expect(valuesOf('reads', 'ON')).toEqual(["'BEFORE'"])
    expect(valuesOf('writes', 'ON')).toEqual(["'BEFORE_ON_PRIMARY_FAILOVER'"])
    expect(valuesOf('reads', 'OFF')).toEqual(["'BEFORE'"])
    expect(valuesOf('writes', 'OFF')).toEqual(["'BEFORE'"])
  })
})

describe('the doctor', () => {
  const variables = (majorityTimeout: number) => ({
    rows: Object.entries({
      group_replication_unreachable_majority_timeout: majorityTimeout,
      group_replication_exit_state_action: 'READ_ONLY',
    }).map(([name, value]) => ({ name, value })),
    affected: 0,
  })
  const among =
    (...states: readonly string[]): Execute =>
    async ({ sql }) =>
      sql.startsWith('show') ? variables(30) : listing(...states)

  test('reports a group only on a member', async () => {
    expect(await groupDiagnostics(among('OFFLINE'), new Map())).toEqual([])
    const found = await groupDiagnostics(among('ONLINE', 'ONLINE', 'ONLINE'), ofGroup())
    expect(found.map(({ value, warning }) => [value, warning])).toEqual([
      ['127.0.0.1:3306 ONLINE, 127.0.0.1:3307 ONLINE, 127.0.0.1:3308 ONLINE', null],
      ['ONLINE, primary', null],
      ['one primary', null],
      ['BEFORE_ON_PRIMARY_FAILOVER', null],
      ['30 s', null],
      ['READ_ONLY', null],
    ])
  })

  test('explains the effect of a member that waits forever', async () => {
    const execute: Execute = async ({ sql }) => (sql.startsWith('show') ? variables(0) : listing('ONLINE'))
    const [finding] = (await groupDiagnostics(execute, ofGroup())).filter(({ name }) => name.includes('majority'))
    expect(finding).toMatchObject({
      name: 'group_replication_unreachable_majority_timeout',
      value: '0 (it waits forever)',
      warning: expect.stringContaining('set it to more seconds than an election takes'),
    })
  })

  test('warns about too few members, an expelled member, and one without the majority', async () => {
    const names = async (...states: readonly string[]) =>
      warningsOf(await groupDiagnostics(among(...states), ofGroup())).map(({ name }) => name)
    expect(await names('ONLINE', 'ONLINE')).toEqual(['group members'])
    expect(await names('ERROR', 'ONLINE', 'ONLINE')).toEqual(['group member'])
    expect(await names('ONLINE', 'UNREACHABLE', 'UNREACHABLE')).toEqual(['group member'])
  })

  test('names the missing grant', async () => {
    const execute: Execute = async ({ sql }) => {
      if (sql.startsWith('show')) return variables(30)
      if (sql.includes('current_user')) return { rows: [{ user: 'qscope_server@%' }], affected: 0 }
      throw denied
    }
    const [members] = await groupDiagnostics(execute, ofGroup())
    expect(members?.warning).toContain(
      "grant select on performance_schema.replication_group_members to 'qscope_server'@'%';",
    )
  })
})

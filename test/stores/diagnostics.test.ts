import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { Execute } from '../../src/stores/sql/core/dialect.ts'
import { clockDiagnostic } from '../../src/stores/sql/diagnostics.ts'
import { galeraDiagnostics, semiSynchronousDiagnostics } from '../../src/stores/sql/dialects/mysql/diagnostics.ts'
import { embeddedDiagnostics } from '../../src/stores/sql/dialects/sqlite/diagnostics.ts'
import { warningsOf } from './given.ts'

test('SQLite causes a warning if it can lose commits or lock out readers', async () => {
  const database = new Sqlite(':memory:')
  const execute: Execute = async ({ sql }) => ({ rows: database.prepare(sql).all(), affected: 0 })
  for (const pragma of ['synchronous = NORMAL', 'foreign_keys = OFF']) database.pragma(pragma)
  expect(warningsOf(await embeddedDiagnostics(execute, 'SQLite'))).toEqual([
    { name: 'journal_mode', value: 'memory' },
    { name: 'synchronous', value: 'NORMAL' },
    { name: 'foreign_keys', value: 'off' },
  ])
  database.close()
})

describe('MySQL', () => {
  const node = { wsrep_on: 'ON', wsrep_sync_wait: '1' }
  const inGoodOrder = { wsrep_cluster_size: '3', wsrep_cluster_status: 'Primary', wsrep_local_state_comment: 'Synced' }
  const galera = (variables: object, status: object = inGoodOrder) =>
    galeraDiagnostics(new Map(Object.entries({ ...node, ...variables })), new Map(Object.entries(status)))

  test.each(['source', 'master'])('reports as a %s whether commits wait for a replica', (side) => {
    const pair = (enabled: string, replicas: string, status: string) =>
      semiSynchronousDiagnostics(
        new Map([[`rpl_semi_sync_${side}_enabled`, enabled]]),
        new Map([
          [`rpl_semi_sync_${side}_clients`, replicas],
          [`rpl_semi_sync_${side}_status`, status],
        ]),
      )
    expect(pair('OFF', '0', 'OFF')).toEqual([])
    expect(pair('ON', '1', 'ON')).toEqual([{ name: 'semi_synchronous_replicas', value: '1', warning: null }])
    expect(warningsOf(pair('ON', '0', 'ON'))).toEqual([{ name: 'semi_synchronous_replicas', value: '0' }])
    expect(warningsOf(pair('ON', '1', 'OFF'))).toEqual([{ name: 'semi_synchronous_replicas', value: '1' }])
  })

  test('reports a cluster only on a node of one', () => {
    expect(galera({ wsrep_on: 'OFF' })).toEqual([])
    expect(galera({}).map(({ value, warning }) => [value, warning])).toEqual([
      ['3', null],
      ['Primary', null],
      ['Synced', null],
      ['1', null],
    ])
    expect(warningsOf(galera({ wsrep_sync_wait: '7' }))).toEqual([])
  })

  test('warns about a cluster without a spare node, and a node that is cut off, behind, or read too early', () => {
    const status = {
      wsrep_cluster_size: '2',
      wsrep_cluster_status: 'non-Primary',
      wsrep_local_state_comment: 'Joining',
    }
    expect(warningsOf(galera({ wsrep_sync_wait: '0' }, status)).map(({ value }) => value)).toEqual([
      '2',
      'non-Primary',
      'Joining',
      '0',
    ])
  })
})

describe('a clock', () => {
  const showing = (ms: () => number) =>
    clockDiagnostic(async () => ({ rows: [{ ms: String(ms()) }], affected: 0 }), 'select the time')

  test('within a second causes no warning', async () => {
    expect(await showing(() => Date.now())).toEqual({ name: 'clock', value: "as this machine's", warning: null })
    expect((await showing(() => Date.now() - 500)).warning).toBeNull()
  })

  test('with a larger difference causes a warning, in either direction', async () => {
    const ahead = await showing(() => Date.now() + 60_000)
    expect(ahead.value).toMatch(/^(59|60)\d{3} ms ahead of this machine's$/)
    expect(ahead.warning).toMatch(/NTP/)
    expect((await showing(() => Date.now() - 60_000)).value).toMatch(/ms behind this machine's$/)
  })
})

import { describe, expect, it } from 'vitest'
import { cellName } from '../../bench/cells.ts'
import { OIDC_MEMORY_MINT } from '../../bench/peers/oidc-contestants.ts'
import { standardPlan } from '../../bench/plan.ts'
import type { Measured } from '../../bench/run/measured.ts'
import { judge, TARGETS } from '../../bench/targets.ts'

const measured = (name: string, over: Partial<Measured> = {}) => ({
  kind: 'measured' as const,
  name,
  perSecond: 10_000,
  ratioToEcho: 0.5,
  p50Ms: 1,
  p99Ms: 4,
  p99ToEcho: 2,
  cpu: { server: 1, load: 0.3, database: null },
  residentMb: 150,
  calls: 1_000,
  errors: {},
  ...over,
})

const verdictsOf = (results: ReturnType<typeof measured>[]) => {
  const verdicts = judge({ groups: [{ title: 'all', results }], trials: [] })
  return new Map(verdicts.map((verdict) => [verdict.target, verdict]))
}

describe('the targets', () => {
  it('are met or missed by measurements, as upper or lower bounds', () => {
    const cell = 'sqlite/mint/1m/32/1w'
    const met = verdictsOf([measured(cell, { ratioToEcho: 0.55, p99ToEcho: 1 })])
    expect(met.get(cell)).toMatchObject({ measured: 0.55, met: true })
    expect(met.get(`p99 of ${cell}`)).toMatchObject({ met: true })
    const missed = verdictsOf([measured(cell, { ratioToEcho: 0.54, p99ToEcho: 1.1, residentMb: 201 })])
    expect(missed.get(cell)).toMatchObject({ met: false })
    expect(missed.get(`p99 of ${cell}`)).toMatchObject({ met: false })
    expect(missed.get('resident memory of a worker, sqlite/*/1m/32')).toMatchObject({ met: false, measured: 201 })
  })

  it('compare with other systems and other sizes', () => {
    const verdicts = verdictsOf([
      measured('sqlite/mint/1m/32/1w', { ratioToEcho: 0.36 }),
      measured(OIDC_MEMORY_MINT, { ratioToEcho: 0.3 }),
    ])
    expect(verdicts.get('sqlite/mint against oidc-provider in memory')?.measured).toBeCloseTo(1.2)
  })

  it('compare one call at a time with the echo of the same group', () => {
    const verdicts = verdictsOf([
      measured('grpc-js echo', { p50Ms: 0.2 }),
      measured('sqlite/introspect/1m/1/1w', { p50Ms: 0.4 }),
      measured('native echo', { ratioToEcho: 7 }),
    ])
    expect(verdicts.get('p50 of sqlite/introspect/1m/1/1w')).toMatchObject({ met: false, measured: 2 })
    expect(verdicts.get('native echo')).toMatchObject({ met: true })
  })

  it('are undecided without a measurement', () => {
    expect([...verdictsOf([]).values()].every(({ met }) => met === null)).toBe(true)
  })

  it('are all measured by the standard run, except for the long soak', () => {
    const plan = standardPlan()
    const names = new Set([...plan.groups.flatMap(({ cells }) => cells), ...plan.trials].map(cellName))
    const named = TARGETS.flatMap(({ target }) => /(?:sqlite|mariadb)\/[\w-]+\/1m\/32\/1w/.exec(target) ?? [])
    expect(named.filter((name) => !names.has(name))).toEqual([])
    expect(named.length).toBeGreaterThan(20)
  })
})

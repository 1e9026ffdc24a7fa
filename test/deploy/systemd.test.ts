import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/config/duration.ts'
import { isKnownVariable } from './documents.ts'
import { unit, variableLines } from './unit-file.ts'

const variables = new Map(variableLines.map((line) => line.split('=', 2) as [string, string]))

describe('the unit of systemd', () => {
  it('sets only variables that QScope knows', () => {
    expect(variables.size).toBeGreaterThan(4)
    expect([...variables.keys()].filter((name) => !isKnownVariable(name))).toEqual([])
  })

  it('has values that a shell and systemd read the same way', () => {
    for (const value of variables.values()) expect(value).toMatch(/^[\w:/.-]+$/)
  })

  it('has a stop timeout longer than QSCOPE_SHUTDOWN_GRACE', () => {
    const grace = parseDuration(variables.get('QSCOPE_SHUTDOWN_GRACE') ?? '') ?? Number.POSITIVE_INFINITY
    expect(Number(unit.the('TimeoutStopSec')) * 1_000).toBeGreaterThan(grace + 2_000)
  })

  it('writes only into the state directory', () => {
    const folder = `/var/lib/${unit.the('StateDirectory')}`
    expect(unit.the('WorkingDirectory')).toBe(folder)
    expect(unit.the('StateDirectoryMode')).toBe('0700')
    expect(variables.get('QSCOPE_KEYRING_FILE')).toMatch(new RegExp(`^${folder}/`))
    expect(variables.get('QSCOPE_DATABASE_URL')).toMatch(new RegExp(`^sqlite:${folder}/`))
  })
})

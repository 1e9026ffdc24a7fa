import { describe, expect, it } from 'vitest'
import { finished, table } from './cases.ts'
import { runCase } from './run-case.ts'

describe('the table of cases of verifiers that keep answers', () => {
  it.each(table.cases)('$name', async (script) => await runCase(script))

  it('has every case once, and a finished token for each that it names', () => {
    expect(table.cases.length).toBeGreaterThan(100)
    expect(new Set(table.cases.map(({ name }) => name)).size).toBe(table.cases.length)
    expect(Object.keys(finished.tokens)).toEqual(Object.keys(table.tokens))
  })
})

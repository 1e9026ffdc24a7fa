import { describe, expect, it } from 'vitest'
import { finished, table } from './cases.ts'
import { runCase } from './run-case.ts'

describe('the table of cases of caching verifiers', () => {
  it.each(table.cases)('$name', async (script) => await runCase(script))

  it('has unique names of cases, and the same tokens as the file of finished tokens', () => {
    expect(table.cases.length).toBeGreaterThan(100)
    expect(new Set(table.cases.map(({ name }) => name)).size).toBe(table.cases.length)
    expect(Object.keys(finished.tokens)).toEqual(Object.keys(table.tokens))
  })
})

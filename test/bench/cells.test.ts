import { describe, expect, it } from 'vitest'
import { cellName, cellOf, parseCells } from '../../bench/cells.ts'

describe('the names of cells', () => {
  it('are parsed and printed alike', () => {
    for (const name of ['sqlite/introspect/1m/32/1w', 'mariadb/batch-introspect/10k/128/2w', 'sqlite/soak/100/1/1w']) {
      expect(cellName(cellOf(name))).toBe(name)
    }
  })

  it('may be patterns: lists, stars, and parts left out at the end', () => {
    expect(parseCells(['sqlite/mint,refresh']).map(cellName)).toEqual([
      'sqlite/mint/1m/32/1w',
      'sqlite/refresh/1m/32/1w',
    ])
    expect(parseCells(['*/mint/10k,10m/*/2w'])).toHaveLength(4 * 2 * 3)
    expect(parseCells([])).toHaveLength(4 * 9 * 3 * 3 * 2)
  })

  it('name each cell once, and a star does not include the long trials', () => {
    expect(parseCells(['sqlite/*', 'sqlite/mint'])).toHaveLength(9)
  })

  it.each([
    ['oracle/mint', 'oracle should be one of'],
    ['sqlite/mnt', 'mnt should be one of'],
    ['sqlite/mint/1g', '1g should be a number of tokens'],
    ['sqlite/mint/1m/0', '0 should be how many calls'],
    ['sqlite/mint/1m/32/2', '2 should be a number of workers'],
    ['sqlite/mint/1m/32/2w/native/more', 'should be database/row'],
  ])('reject %s and state what is expected', (name, problem) => {
    expect(() => parseCells([name])).toThrow(problem)
  })
})

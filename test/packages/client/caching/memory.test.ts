import { describe, expect, it } from 'vitest'
import { Facts, LEEWAY_MS } from '../../../../packages/client/src/verification/caching/facts.ts'
import { KeptAnswers } from '../../../../packages/client/src/verification/caching/kept-answers.ts'
import type { VerifiedToken } from '../../../../packages/client/src/verification/verified-token.ts'

const DAY_MS = 86_400_000
const now = Date.UTC(2026, 0, 1)

function tokenCalled(tokenId: string): VerifiedToken {
  return {
    tokenId,
    clientId: 'orders',
    subject: 'orders',
    subjectType: 'client',
    scopes: [],
    audiences: [],
    issuer: 'https://qscope.internal',
    issueTime: new Date(now),
    expireTime: new Date(now + DAY_MS),
    actors: [],
    certificate: null,
    extra: {},
  }
}

describe('the revoked keys', () => {
  it('are removed after their expiry and the leeway, and not before', () => {
    const facts = new Facts(10)
    facts.tell('a', now + 1_000)
    facts.sweep(now + 1_000 + LEEWAY_MS - 1)
    expect([facts.isTold('a'), facts.toldKeys]).toEqual([true, 1])
    facts.sweep(now + 1_000 + 2 * LEEWAY_MS)
    expect([facts.isTold('a'), facts.toldKeys]).toEqual([false, 0])
  })

  it('are kept until the latest of their expiries', () => {
    const facts = new Facts(10)
    facts.tell('a', now + DAY_MS)
    facts.tell('a', now)
    facts.sweep(now + DAY_MS)
    expect(facts.isTold('a')).toBe(true)
  })

  it('are all removed when a key exceeds the limit, and answers to earlier requests become invalid', () => {
    const facts = new Facts(3)
    const told = ['a', 'b', 'c', 'a', 'b'].map((key) => facts.tell(key, now))
    expect(told).toEqual([true, true, true, true, true])
    expect(facts.tell('d', now)).toBe(false)
    expect(facts.toldKeys).toBe(0)
    expect(facts.stand(['x'], facts.tellings - 1)).toBe(false)
    expect(facts.stand(['x'], facts.tellings)).toBe(true)
  })

  it('free all their room when the history is read again', () => {
    const facts = new Facts(3)
    for (const key of ['a', 'b', 'c']) facts.tell(key, now + DAY_MS)
    facts.clear()
    expect(['d', 'e', 'f'].map((key) => facts.tell(key, now + DAY_MS))).toEqual([true, true, true])
    expect([facts.isTold('a'), facts.isTold('d'), facts.toldKeys]).toEqual([false, true, 3])
  })
})

describe('the kept answers', () => {
  const given = (most: number) => {
    const facts = new Facts(1_000)
    return { facts, answers: new KeptAnswers(most, facts) }
  }
  const keep = (answers: KeptAnswers, value: string) => answers.keep(value, tokenCalled(value), [value, 'client'], 0)

  it('do not exceed their limit, and those in use are not evicted', () => {
    const { answers } = given(100)
    for (let n = 0; n < 100; n += 1) keep(answers, `old-${n}`)
    for (let n = 0; n < 1_000; n += 1) {
      const used = answers.find('old-0')
      if (used !== undefined) used.wasUsed = true
      keep(answers, `new-${n}`)
      expect(answers.size).toBe(100)
    }
    expect(answers.find('old-0')).toBeDefined()
    expect(answers.find('old-1')).toBeUndefined()
    expect(answers.find('new-999')).toBeDefined()
  })

  it('leave no facts behind when they are cleared', () => {
    const { answers, facts } = given(10)
    for (let n = 0; n < 100; n += 1) keep(answers, `token-${n}`)
    facts.tell('token-99', now)
    answers.clear()
    expect(answers.size).toBe(0)
    facts.sweep(now + 10 * LEEWAY_MS)
    expect(facts.toldKeys).toBe(0)
  })

  it('are not replaced by an older answer about the same token', () => {
    const { answers, facts } = given(10)
    facts.tell('other', now)
    answers.keep('a', tokenCalled('later'), ['k'], 1)
    answers.keep('a', tokenCalled('earlier'), ['k'], 0)
    expect(answers.find('a')?.token.tokenId).toBe('later')
  })

  it('are not found for another token with the same suffix', () => {
    const { answers, facts } = given(10)
    keep(answers, 'one-that-ends-alike')
    expect(answers.find('two-that-ends-alike')).toBeUndefined()
    answers.drop('two-that-ends-alike')
    expect(answers.find('one-that-ends-alike')?.token.tokenId).toBe('one-that-ends-alike')
    keep(answers, 'two-that-ends-alike')
    expect(answers.find('one-that-ends-alike')).toBeUndefined()
    expect(answers.find('two-that-ends-alike')?.token.tokenId).toBe('two-that-ends-alike')
    answers.clear()
    expect(facts.hold(['client'])[0]?.holders).toBe(1)
  })

  it('are removed when one of their keys is revoked, and a later answer is kept again', () => {
    const { answers, facts } = given(10)
    keep(answers, 'a')
    facts.tell('nobody', now)
    expect(answers.find('a')).toBeDefined()
    facts.tell('client', now)
    expect(answers.find('a')).toBeUndefined()
    expect(answers.size).toBe(0)
    answers.keep('a', tokenCalled('a'), ['a', 'client'], facts.tellings)
    expect(answers.find('a')).toBeDefined()
  })
})

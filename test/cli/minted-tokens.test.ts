import { expect, test } from 'vitest'
import { MintedTokens } from '../../src/cli/connection/minted-tokens.ts'

test('a command that outlives its token mints another one in time', async () => {
  let now = 0
  const tokens = new MintedTokens(() => now)
  expect(tokens.get('qscope:clients.read')).toBeUndefined()
  tokens.set('qscope:clients.read', Promise.resolve('first'))
  now = 29_999
  expect(await tokens.get('qscope:clients.read')).toBe('first')
  expect(tokens.get('qscope:clients.write')).toBeUndefined()
  now = 30_000
  expect(tokens.get('qscope:clients.read')).toBeUndefined()
  tokens.set('qscope:clients.read', Promise.resolve('second'))
  expect(await tokens.get('qscope:clients.read')).toBe('second')
})

import { expect, it } from 'vitest'
import { readSpiffeBundle } from '../../src/crypto/spiffe-bundle.ts'
import { signingPair } from '../setup/assertions.ts'

const { kid, publicJwk } = signingPair('ES256')
const bundleWith = (more: object) =>
  readSpiffeBundle(JSON.stringify({ keys: [{ ...publicJwk, use: 'jwt-svid' }], ...more }))

it.each([
  [{}, null],
  [{ spiffe_sequence: 0, spiffe_refresh_hint: 120 }, 120_000],
  [{ spiffe_sequence: 12_035_488, spiffe_refresh_hint: 0 }, 0],
])('a bundle with %j is read', (more, refreshHint) => {
  expect(bundleWith(more)).toMatchObject({ keySet: { ok: true, keys: [{ kid }] }, refreshHint })
})

it.each(['1', -1, 1.5, [1], true])('a bundle with the sequence or refresh hint %j is refused', (value) => {
  const sequence = 'has a spiffe_sequence that is not a whole number'
  const hint = 'has a spiffe_refresh_hint that is not a whole number of seconds'
  const refused = (...problems: readonly string[]) => ({ keySet: { ok: false, problems }, refreshHint: null })
  expect(bundleWith({ spiffe_sequence: value, spiffe_refresh_hint: 60 })).toEqual(refused(sequence))
  expect(bundleWith({ spiffe_sequence: 1, spiffe_refresh_hint: value })).toEqual(refused(hint))
  expect(bundleWith({ spiffe_sequence: value, spiffe_refresh_hint: value })).toEqual(refused(sequence, hint))
})

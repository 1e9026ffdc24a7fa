import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdsSecret } from '../../src/domain/secret-text.ts'
import { processorTimeOf } from '../setup/processor-time.ts'

/** What counts as a secret, in one expression: right, but on a long text its time grows with the square of the length. */
const MEANT = /q(?:at|rt|ac|dc|cs)_[0-9A-Za-z]{8}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\./

const pieces = fc.constantFrom(
  'eyJ',
  '.',
  'a',
  'eyJhbGciOi',
  'eyJzdWIiOi',
  '12345678',
  '-',
  '_',
  ' ',
  'qat_',
  'qcs_',
  'q',
  'é',
)
const texts = fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join(''))
const LONG = 200_000

describe('a text', () => {
  it.each([
    'qat_12345678',
    'client qcs_abcdefghIJKL',
    'xeyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.sig',
    'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.',
    '-----BEGIN PRIVATE KEY-----\nMIGH',
    '-----BEGIN ENCRYPTED PRIVATE KEY-----',
    '-----BEGIN EC PRIVATE KEY-----',
  ])('holds a secret: %j', (text) => {
    expect(holdsSecret(text)).toBe(true)
  })

  it.each([
    '',
    'qat_1234567',
    'orders',
    'eyJhbGciOiJFUzI1NiJ9',
    'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0',
    '-----BEGIN PUBLIC KEY-----',
  ])('holds no secret: %j', (text) => {
    expect(holdsSecret(text)).toBe(false)
  })

  it('is classified like the regular expression', () => {
    fc.assert(
      fc.property(texts, (text) => holdsSecret(text) === MEANT.test(text)),
      { numRuns: 20_000 },
    )
  })

  it.each([
    ['beginnings of a JWT', 'eyJ'],
    ['beginnings of a JWT in parts', 'eyJ.'],
    ['first halves of a JWT', 'eyJhbGciOiJF.'],
    ['beginnings of a token', 'qat_'],
    ['beginnings of a private key', '-----BEGIN '],
  ])('of thousands of %s is classified in linear time', (_what, piece) => {
    const text = piece.repeat(LONG / piece.length)
    const control = processorTimeOf(() => /^[^\0]*$/.test(text))
    expect(processorTimeOf(() => holdsSecret(text))).toBeLessThan(10 * control + 100)
  })
})

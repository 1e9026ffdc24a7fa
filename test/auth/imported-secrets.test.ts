import { describe, expect, it } from 'vitest'
import { ImportedSecrets } from '../../src/auth/imported-secrets.ts'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { clientId, epochMs } from '../../src/domain/ids.ts'
import { aSecret, quiet } from '../stores/given.ts'

/** "keycloak", hashed by libxcrypt. */
const HASH = '$2y$05$012345678901234567890uBKlrvCXMWyA6xqjDIHbeFEM5mfrMeMG'

/** Verifies for a database that nothing is written to: no guess is right. */
function verifier(): ImportedSecrets {
  const transaction = () => Promise.reject(new Error('a wrong secret is not hashed anew'))
  return new ImportedSecrets({ transaction }, new Keyring(drawKeyMaterial()), quiet)
}

interface Circumstances {
  readonly deadline?: number
  readonly peer?: string
}

function guess(client: string, presented: string, { deadline, peer = '192.0.2.1' }: Circumstances = {}) {
  const secrets = [aSecret(client, { importedHash: HASH })]
  return {
    clientId: clientId(client),
    peer,
    presented,
    secrets,
    deadline: deadline === undefined ? null : epochMs(deadline),
  }
}

function countsOf(matches: readonly unknown[]) {
  return {
    wrong: matches.filter((match) => match === null).length,
    busy: matches.filter((match) => match === 'busy').length,
  }
}

describe('secrets that another server hashed', () => {
  it('are verified one at a time for each client, with a short queue', async () => {
    const secrets = verifier()
    const guesses = Array.from({ length: 20 }, (_, index) =>
      secrets.match(guess('one', `guess-${index}`, { peer: `192.0.2.${index}` })),
    )
    expect(countsOf(await Promise.all(guesses))).toEqual({ wrong: 5, busy: 15 })
  })

  it('leave the owner a place while another caller guesses', async () => {
    const secrets = verifier()
    const guesses = Array.from({ length: 20 }, (_, index) => secrets.match(guess('one', `guess-${index}`)))
    const owner = secrets.match(guess('one', 'not the guesser', { peer: '192.0.2.2' }))
    expect(countsOf(await Promise.all(guesses))).toEqual({ wrong: 3, busy: 17 })
    expect(await owner).toBeNull()
  })

  it('are verified for other addresses before the rest of one address', async () => {
    const secrets = verifier()
    const order: string[] = []
    const verify = (client: string, peer: string) =>
      secrets.match(guess(client, 'guess', { peer })).then(() => order.push(client))
    const many = Array.from({ length: 10 }, (_, index) => verify(`guessed-${index}`, '192.0.2.1'))
    await Promise.all([...many, verify('honest', '192.0.2.2')])
    // It came last, when two were under way.
    expect(order.indexOf('honest')).toBeLessThan(many.length / 2)
  })

  it('are verified two at a time in total, with a bounded queue', async () => {
    const secrets = verifier()
    const guesses = Array.from({ length: 40 }, (_, index) => secrets.match(guess(`client-${index}`, 'guess')))
    expect(countsOf(await Promise.all(guesses))).toEqual({ wrong: 34, busy: 6 })
  })

  it('are verified once for all calls with the same one', async () => {
    const secrets = verifier()
    const first = secrets.match(guess('shared', 'guess'))
    expect(secrets.isUnderWay(guess('shared', 'guess'))).toBe(true)
    expect(secrets.isUnderWay(guess('shared', 'another'))).toBe(false)
    expect(secrets.match(guess('shared', 'guess'))).toBe(first)
    expect(await first).toBeNull()
    expect(secrets.isUnderWay(guess('shared', 'guess'))).toBe(false)
  })

  it('are not verified for a caller who has stopped waiting', async () => {
    expect(await verifier().match(guess('late', 'guess', { deadline: 1 }))).toBe('busy')
  })
})

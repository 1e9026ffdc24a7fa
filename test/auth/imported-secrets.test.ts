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

function guess(client: string, presented: string, deadline: number | null = null) {
  const secrets = [aSecret(client, { importedHash: HASH })]
  return { clientId: clientId(client), presented, secrets, deadline: deadline === null ? null : epochMs(deadline) }
}

function countsOf(matches: readonly unknown[]) {
  return {
    wrong: matches.filter((match) => match === null).length,
    busy: matches.filter((match) => match === 'busy').length,
  }
}

describe('secrets that another server hashed', () => {
  it('are verified one at a time for each client, with few that wait', async () => {
    const secrets = verifier()
    const guesses = Array.from({ length: 20 }, (_, index) => secrets.match(guess('one', `guess-${index}`)))
    expect(countsOf(await Promise.all(guesses))).toEqual({ wrong: 5, busy: 15 })
  })

  it('are verified two at a time in all, with a bounded number that waits', async () => {
    const secrets = verifier()
    const guesses = Array.from({ length: 40 }, (_, index) => secrets.match(guess(`client-${index}`, 'guess')))
    expect(countsOf(await Promise.all(guesses))).toEqual({ wrong: 34, busy: 6 })
  })

  it('are verified once for all calls that show the same one', async () => {
    const secrets = verifier()
    const first = secrets.match(guess('shared', 'guess'))
    expect(secrets.isUnderWay(guess('shared', 'guess'))).toBe(true)
    expect(secrets.isUnderWay(guess('shared', 'another'))).toBe(false)
    expect(secrets.match(guess('shared', 'guess'))).toBe(first)
    expect(await first).toBeNull()
    expect(secrets.isUnderWay(guess('shared', 'guess'))).toBe(false)
  })

  it('are not verified for a caller who has stopped waiting', async () => {
    expect(await verifier().match(guess('late', 'guess', 1))).toBe('busy')
  })
})

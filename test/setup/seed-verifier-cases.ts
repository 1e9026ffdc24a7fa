import { hashToken } from '../../src/crypto/token.ts'
import { certificateThumbprint } from '../../src/domain/certificate.ts'
import { epochMs, milliseconds, type RawToken, signingKeyId, tokenId, userId } from '../../src/domain/ids.ts'
import { SIGNING_ALGORITHMS } from '../../src/domain/signing-key.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { aToken, inTransaction, mint } from '../stores/given.ts'
import type { TestServer } from './server.ts'
import { type CaseKey, type CaseSettings, type VerifierCase, verifierCases } from './verifier-cases.ts'

const DAY_MS = 86_400_000

/** The clients of the table's tokens, and the other clients that they name. */
export const CASE_CLIENTS = Object.freeze(['orders', 'reports', 'billing'])

/**
 * Stores the keys of the table, and the row of every token that QScope could have issued. The server therefore refuses a
 * token for its properties, and not only because it was never issued.
 */
export async function seedVerifierCases(server: TestServer, about: Omit<CaseSettings, 'user'>) {
  const request = { externalId: server.unique('user-') }
  const { user } = await server.call(UserService.method.registerUser, request, { bearer: server.admin.token })
  const id = user?.userId ?? ''
  const { keys, cases } = verifierCases({ ...about, user: id })
  await inTransaction(server.app.backend, async ({ signingKeys }) => {
    for (const key of keys) if (key.published) await signingKeys.insert(rowOfKey(key, about.clock * 1_000))
  })
  await mint(server.app.backend, ...cases.flatMap((each) => rowOf(each, id) ?? []))
  return cases
}

function rowOfKey({ kid, alg, publicJwk }: CaseKey, now: number) {
  const algorithm = SIGNING_ALGORITHMS.find((each) => each === alg)
  if (algorithm === undefined) throw new Error(`QScope does not sign with ${alg}`)
  const at = epochMs(now - DAY_MS)
  return {
    keyId: signingKeyId(kid),
    algorithm,
    publicJwk: Object.fromEntries(Object.entries(publicJwk).map(([name, value]) => [name, String(value)])),
    privateKey: null,
    state: 'retired' as const,
    longestLifetime: milliseconds(DAY_MS),
    preparedAt: at,
    preparedBy: 'operator:test',
    activatedAt: at,
    retiredAt: at,
    revokedAt: null,
    tokensUntil: epochMs(now + DAY_MS),
    rayId: 'verifier-cases',
  }
}

function rowOf({ row, token, name }: VerifierCase, user: string) {
  if (row === null) return null
  const { jti, sub, aud, scope = '', iat, exp, act, cnf } = row
  const bound = thumbprintIn(cnf)
  const confirmation = bound === null ? null : certificateThumbprint(bound)
  if (typeof aud !== 'string' && !Array.isArray(aud)) throw new Error(`QScope issues no such token: ${name}`)
  return aToken('orders', {
    tokenId: tokenId(String(jti)),
    hash: hashToken(token as RawToken),
    subject: String(sub),
    userId: sub === user ? userId(user) : null,
    userGeneration: sub === user ? 1 : null,
    scopes: String(scope)
      .split(' ')
      .filter((each) => each !== ''),
    audiences: [aud].flat(),
    actors: actorsIn(act),
    confirmation,
    issuedAt: epochMs(Number(iat) * 1_000),
    expiresAt: epochMs(Number(exp) * 1_000),
  })
}

function thumbprintIn(cnf: unknown): string | null {
  return typeof cnf === 'object' && cnf !== null ? String(Reflect.get(cnf, 'x5t#S256')) : null
}

function actorsIn(act: unknown): string[] {
  return typeof act === 'object' && act !== null
    ? [String(Reflect.get(act, 'sub')), ...actorsIn(Reflect.get(act, 'act'))]
    : []
}

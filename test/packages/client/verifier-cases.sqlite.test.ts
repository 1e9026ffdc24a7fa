import { credentials } from '@grpc/grpc-js'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { grpcJsChannel } from '../../../packages/client/src/grpc-js/channel.ts'
import { grpcKeySet } from '../../../packages/client/src/verification/key-set.ts'
import { offlineVerifier } from '../../../packages/client/src/verification/offline-verifier.ts'
import type { TokenVerifier } from '../../../packages/client/src/verification/token-verifier.ts'
import type { VerifiedToken } from '../../../packages/client/src/verification/verified-token.ts'
import { SubjectType, type TokenClaims } from '../../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { refusalOf } from '../../setup/client.ts'
import { CASE_CLIENTS, seedVerifierCases } from '../../setup/seed-verifier-cases.ts'
import type { Verdict, VerifierCase } from '../../setup/verifier-cases.ts'
import { givenServer } from './given.ts'

const AUDIENCE = 'https://warehouse.internal'
const CLOCK = Math.floor(Date.now() / 1_000)
const server = givenServer()
let cases: readonly VerifierCase[]
let caller: Awaited<ReturnType<ReturnType<typeof server>['registerClient']>>
beforeAll(async () => {
  for (const clientId of CASE_CLIENTS) await server().registerClient({ clientId })
  caller = await server().registerClient({ clientId: 'warehouse', resourceAudiences: [AUDIENCE] })
  cases = await seedVerifierCases(server(), { clock: CLOCK, issuer: server().issuer, audience: AUDIENCE })
  server().clock.stopAt(CLOCK * 1_000)
})

/** The verdicts by the names of the cases, so that a failure names the case. */
async function verdicts(judge: (presented: VerifierCase) => Promise<Verdict>) {
  const judged: [string, Verdict][] = []
  for (const each of cases) judged.push([each.name, await judge(each)])
  return Object.fromEntries(judged)
}

describe('the table of cases', () => {
  it('gives the results of VerifyToken for tokens that the server issued, and invalid_token for the others', async () => {
    const judged = await verdicts(async ({ token, certificate, required_scopes: requiredScopes }) => {
      const call = server().call(TokenService.method.verifyToken, {
        client: caller.client,
        token,
        requiredScopes: [...requiredScopes],
        audience: AUDIENCE,
        ...(certificate !== null && { presentedCertificateSha256: certificate }),
      })
      try {
        const { claims } = await call
        return claims === undefined ? { result: 'invalid_token' } : { result: 'accepted', ...ofServer(claims) }
      } catch {
        const { reason, violations } = await refusalOf(call)
        if (reason === 'OAUTH_INSUFFICIENT_SCOPE') return { result: 'insufficient_scope' }
        expect([reason, violations]).toEqual(['OAUTH_INVALID_TOKEN', []])
        return { result: 'invalid_token' }
      }
    })
    expect(judged).toEqual(expectedOf(({ expected, row }) => (row === null ? { result: 'invalid_token' } : expected)))
  })

  it('gives the results of the offline verifier', async () => {
    const channel = grpcJsChannel(server().address, { credentials: credentials.createInsecure() })
    onTestFinished(() => channel.close())
    const verifier: TokenVerifier = offlineVerifier({
      keys: grpcKeySet(channel),
      issuer: server().issuer,
      audience: AUDIENCE,
      now: () => CLOCK * 1_000,
    })
    const judged = await verdicts(async ({ token: value, certificate, required_scopes: required }) => {
      const token = await verifier.verify({ value, certificate })
      if (token === null) return { result: 'invalid_token' }
      // In the package, the interceptors check scopes.
      if (required.some((scope) => !token.scopes.includes(scope))) return { result: 'insufficient_scope' }
      return { result: 'accepted', ...ofPackage(token) }
    })
    expect(judged).toEqual(expectedOf(({ expected }) => expected))
  })

  it('has unique names of cases', () => {
    expect(cases.length).toBeGreaterThan(200)
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
    expect(new Set(cases.map(({ expected }) => expected.result)).size).toBe(3)
  })
})

function expectedOf(verdict: (each: VerifierCase) => Verdict) {
  return Object.fromEntries(cases.map((each) => [each.name, verdict(each)]))
}

function ofServer(claims: TokenClaims) {
  const actors: string[] = []
  for (let actor = claims.actor; actor !== undefined; actor = actor.actor) actors.push(actor.subject)
  return {
    token_id: claims.tokenId,
    client_id: claims.clientId,
    subject: claims.subject,
    subject_type: claims.subjectType === SubjectType.USER ? 'user' : 'client',
    scopes: claims.scopes,
    audiences: claims.audiences,
    issuer: claims.issuer,
    issue_time: Number(claims.issueTime?.seconds),
    expire_time: Number(claims.expireTime?.seconds),
    actors,
    certificate: claims.confirmation?.x5tS256 ?? null,
  }
}

function ofPackage(token: VerifiedToken) {
  return {
    token_id: token.tokenId,
    client_id: token.clientId,
    subject: token.subject,
    subject_type: token.subjectType,
    scopes: token.scopes,
    audiences: token.audiences,
    issuer: token.issuer,
    issue_time: token.issueTime.getTime() / 1_000,
    expire_time: token.expireTime.getTime() / 1_000,
    actors: token.actors,
    certificate: token.certificate,
  }
}

import { describe, expect, it } from 'vitest'
import { CodeChallengeMethod, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn, pkcePair, REDIRECT_URI } from '../setup/grants.ts'

const invalidGrant = { status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' }
const invalidRequest = { status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_REQUEST' }

onEveryBackend('RFC 7636', (server) => {
  const grants = grantsOn(server)
  const withoutPkce = () => grants.webClient({ config: { requirePkce: false } })
  const create = (clientId: string, pkce: object) => {
    const request = { clientId, user: grants.newUser(), redirectUri: REDIRECT_URI, ...pkce }
    return server.call(TokenService.method.createAuthorizationCode, request, grants.bearer())
  }

  describe('§4.1 the code verifier', () => {
    it('§4.1 a verifier of 43 to 128 unreserved characters is accepted', async () => {
      const client = await grants.webClient()
      for (const verifier of ['a'.repeat(43), 'Z'.repeat(128), `-._~${'0'.repeat(40)}`]) {
        const codeChallenge = pkcePair(verifier).challenge
        const code = await grants.createCode(client, { codeChallenge })
        expect((await grants.exchangeCode(client, { ...code, verifier })).accessToken).not.toBe('')
      }
    })

    it('§4.1 a verifier that is shorter, longer or has other characters is refused, and the code can still be redeemed', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      for (const verifier of ['a'.repeat(42), 'a'.repeat(129), `${'a'.repeat(42)}+`, `${'a'.repeat(42)}é`]) {
        const refused = await refusalOf(grants.exchangeCode(client, { ...code, verifier }))
        expect(refused).toMatchObject({ ...invalidRequest, violations: ['code_verifier'] })
      }
      // RFC 6749 §3.1: as if there were none.
      const without = await refusalOf(grants.exchangeCode(client, { ...code, verifier: '' }))
      expect(without).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' })
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })
  })

  describe('§4.2 the code challenge', () => {
    it('§4.2 the challenge is BASE64URL(SHA256(verifier)): the example of appendix B', async () => {
      const client = await grants.nativeClient()
      const codeChallenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
      const code = await grants.createCode(client, { codeChallenge })
      const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
      expect((await grants.exchangeCode(client, { ...code, verifier })).accessToken).not.toBe('')
    })

    it('§4.2 plain is not supported: S256 is the only method and must be named', async () => {
      const { clientId } = await grants.webClient()
      const codeChallenge = pkcePair().challenge
      expect(Object.keys(CodeChallengeMethod).filter((name) => Number.isNaN(Number(name)))).toEqual([
        'UNSPECIFIED',
        'S256',
      ])
      for (const codeChallengeMethod of [CodeChallengeMethod.UNSPECIFIED, 2 as CodeChallengeMethod]) {
        const refused = await refusalOf(create(clientId, { codeChallenge, codeChallengeMethod }))
        expect(refused).toMatchObject({ ...invalidRequest, violations: ['code_challenge_method'] })
      }
    })

    it('§4.2 a challenge that does not have the form of a SHA-256 hash is refused', async () => {
      const { clientId } = await grants.webClient()
      const codeChallengeMethod = CodeChallengeMethod.S256
      for (const codeChallenge of ['', 'a'.repeat(42), 'a'.repeat(44), `${'a'.repeat(42)}=`, `${'a'.repeat(42)}+`]) {
        const refused = await refusalOf(create(clientId, { codeChallenge, codeChallengeMethod }))
        expect(refused).toMatchObject({ ...invalidRequest, violations: ['code_challenge'] })
      }
    })

    it('§4.3 a method without a challenge is refused', async () => {
      const { clientId } = await withoutPkce()
      const refused = await refusalOf(create(clientId, { codeChallengeMethod: CodeChallengeMethod.S256 }))
      expect(refused).toMatchObject({ ...invalidRequest, violations: ['code_challenge_method'] })
    })
  })

  describe('§4.4 the server', () => {
    it('§4.4 binds the challenge to the code: the verifier of another code is refused', async () => {
      const client = await grants.webClient()
      const [one, other] = [await grants.createCode(client), await grants.createCode(client)]
      const refused = await refusalOf(grants.exchangeCode(client, { ...one, verifier: other.verifier }))
      expect(refused).toMatchObject(invalidGrant)
    })

    it('§4.4.1 requires a challenge from public clients and from confidential ones that must use PKCE', async () => {
      for (const { clientId } of [await grants.webClient(), await grants.nativeClient()]) {
        expect(await refusalOf(create(clientId, {}))).toMatchObject({
          ...invalidRequest,
          violations: ['code_challenge'],
        })
      }
    })
  })

  describe('§4.6 the verification', () => {
    it('§4.6 a wrong verifier is invalid_grant, without a hint, and the code can still be redeemed', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const wrong = await refusalOf(grants.exchangeCode(client, { ...code, verifier: pkcePair().verifier }))
      const unknown = await refusalOf(grants.exchangeCode(client, { ...code, code: 'qac_unknown' }))
      expect(wrong).toMatchObject(invalidGrant)
      expect(wrong.message).toBe(unknown.message)
      expect(wrong.violations).toEqual([])
      expect(wrong.metadata).toEqual({ oauth_error: 'invalid_grant' })
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })

    it('§4.6 the challenge itself is refused as verifier', async () => {
      const client = await grants.webClient()
      const { challenge } = pkcePair()
      const code = await grants.createCode(client, { codeChallenge: challenge })
      expect(await refusalOf(grants.exchangeCode(client, { ...code, verifier: challenge }))).toMatchObject(invalidGrant)
    })

    it('§4.6 a missing verifier is invalid_grant, and the code can still be redeemed', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      expect(await refusalOf(grants.exchangeCode(client, { ...code, verifier: undefined }))).toMatchObject(invalidGrant)
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })

    it('§4.6 a redeemed code with a wrong verifier revokes nothing', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const tokens = await grants.exchangeCode(client, code)
      for (const verifier of [undefined, pkcePair().verifier]) {
        expect(await refusalOf(grants.exchangeCode(client, { ...code, verifier }))).toMatchObject(invalidGrant)
      }
      expect(await grants.isActive(tokens.accessToken)).toBe(true)
      expect(await grants.isActive(tokens.refreshToken)).toBe(true)
    })
  })

  describe('§5 compatibility', () => {
    it('§5 a confidential client that is registered without PKCE needs no challenge', async () => {
      const client = await withoutPkce()
      const code = await grants.createCodeWithoutPkce(client)
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })

    it('§5 such a client may use PKCE, and then needs the verifier', async () => {
      const client = await withoutPkce()
      const code = await grants.createCode(client)
      expect(await refusalOf(grants.exchangeCode(client, { ...code, verifier: undefined }))).toMatchObject(invalidGrant)
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })
  })
})

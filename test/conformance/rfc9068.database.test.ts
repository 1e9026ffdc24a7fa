import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn, type Tokens, tokensOf } from '../setup/grants.ts'
import { JWT, jwtsOn, partOf } from '../setup/jwt.ts'

const { batchMintTokens, introspectToken, mintToken, revokeToken, verifyToken } = TokenService.method
const { listSigningKeys, revokeSigningKey } = KeyService.method
const API = 'https://api.example'

onEveryBackend('RFC 9068', (server) => {
  const grants = grantsOn(server)
  const jwts = jwtsOn(server)
  const client = (more: Parameters<typeof grants.serviceClient>[0] = {}) =>
    grants.serviceClient({ config: JWT, audiences: [API], ...more })
  const claimsIn = ({ accessToken }: Pick<Tokens, 'accessToken'>) => partOf(accessToken, 1)

  describe('§2 data structure', () => {
    it('§2.1 the header has only the type at+jwt, an asymmetric algorithm and the key id', async () => {
      const { accessToken } = await grants.mint(await client())
      expect(partOf(accessToken, 0)).toEqual({
        alg: 'ES256',
        typ: 'at+jwt',
        kid: (await jwts.keyOf(accessToken)).keyId,
      })
    })

    it('§2.2 has iss, exp, aud, sub, client_id, iat and jti, equal to the answer of introspection', async () => {
      const service = await client()
      const token = await grants.mint(service, { audiences: [API], lifetime: { seconds: 90n } })
      const claims = claimsIn(token)
      expect(claims).toEqual({
        iss: server.issuer,
        aud: API,
        sub: service.clientId,
        client_id: service.clientId,
        jti: token.tokenId,
        scope: 'orders.read orders.write',
        iat: expect.any(Number),
        exp: Number(claims['iat']) + 90,
        rvk: [expect.any(String), expect.any(String), expect.any(String)],
      })
      const known = await grants.claimsOf(token.accessToken)
      expect(known).toMatchObject({ tokenId: token.tokenId, subject: service.clientId, audiences: [API] })
      expect(Number(known?.expireTime?.seconds)).toBe(claims['exp'])
    })

    it('§2.2 sub is the user if there is one, and not the client', async () => {
      const token = await grants.signIn(await grants.webClient({ config: JWT }))
      const known = await grants.claimsOf(token.accessToken)
      expect(claimsIn(token)['sub']).toBe(known?.subject)
      expect(claimsIn(token)['sub']).not.toBe(claimsIn(token)['client_id'])
    })

    it('§2.2.3 scope lists the granted scopes, and is absent without any', async () => {
      const service = await client()
      expect(claimsIn(await grants.mint(service, { scopes: ['orders.write'] }))['scope']).toBe('orders.write')
      const none = await client({ scopes: [] })
      expect(claimsIn(await grants.mint(none))).not.toHaveProperty('scope')
    })
  })

  describe('§3 requesting', () => {
    it('aud is the requested audiences, or the issuer without any', async () => {
      const service = await client({ audiences: [API, 'https://b.example'] })
      expect(claimsIn(await grants.mint(service))['aud']).toBe(server.issuer)
      expect(claimsIn(await grants.mint(service, { audiences: [API] }))['aud']).toBe(API)
      const both = await grants.mint(service, { audiences: [API, 'https://b.example'] })
      expect(claimsIn(both)['aud']).toEqual([API, 'https://b.example'])
    })

    it('every grant issues JWTs to a client that is registered for them', async () => {
      const web = await grants.webClient({ config: JWT })
      const signedIn = await grants.signIn(web)
      const refreshed = await grants.refresh(web, signedIn.refreshToken)
      const device = await grants.deviceClient({ config: JWT })
      const started = await grants.startDevice(device)
      await grants.approveDevice(started)
      const redeemed = await grants.redeemDevice(device, started)
      const service = await client()
      const { results } = await server.call(batchMintTokens, { client: service.client, requests: [{}, {}] })
      const batch = results.map(({ result }) => tokensOf(result.case === 'token' ? result.value : undefined))
      const minted = await grants.mint(service)
      const exchanged = await grants.exchangeToken(service, minted.accessToken)
      for (const token of [signedIn, refreshed, redeemed, ...batch, minted, exchanged]) {
        expect(claimsIn(token)['jti']).toBe(token.tokenId)
        expect(await jwts.verifyOffline(token.accessToken, server.issuer)).toMatchObject({ jti: token.tokenId })
        expect(await grants.isActive(token.accessToken)).toBe(true)
      }
      expect(signedIn.refreshToken).toMatch(/^qrt_/)
    })

    it('a JWT from an exchange names the actor and the earlier actors', async () => {
      const web = await grants.webClient({ config: JWT })
      const first = await client()
      const second = await client()
      const { accessToken } = await grants.signIn(web)
      const one = await grants.exchangeToken(first, accessToken)
      const two = await grants.exchangeToken(second, one.accessToken)
      expect(claimsIn(two)['act']).toEqual({ sub: second.clientId, act: { sub: first.clientId } })
      expect(claimsIn(two)['sub']).toBe(claimsIn({ accessToken })['sub'])
    })

    it('a repeated refresh returns the same JWT', async () => {
      const web = await grants.webClient({ config: JWT })
      const { refreshToken } = await grants.signIn(web)
      const [first, again] = [await grants.refresh(web, refreshToken), await grants.refresh(web, refreshToken)]
      expect(again.accessToken).toBe(first.accessToken)
    })

    it('a JWT above 8,192 bytes is not issued', async () => {
      const scopes = Array.from({ length: 100 }, (_, index) => `${'s'.repeat(100)}${index}`)
      const service = await client({ scopes })
      const refused = await refusalOf(grants.mint(service))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['scopes'] })
      let fitting = scopes.length
      while (await failed(grants.mint(service, { scopes: scopes.slice(0, fitting) }))) fitting -= 1
      const { accessToken } = await grants.mint(service, { scopes: scopes.slice(0, fitting) })
      expect(accessToken.length).toBeGreaterThan(7_000)
      expect(accessToken.length).toBeLessThanOrEqual(8_192)
      expect(await grants.isActive(accessToken)).toBe(true)
    })

    it('scopes that are too long for a JWT are refused when a code is created and when a device is started or approved', async () => {
      const scopes = Array.from({ length: 100 }, (_, index) => `${'s'.repeat(100)}${index}`)
      const grantTypes = [GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE]
      const web = await grants.webClient({ grantTypes, scopes })
      const opaque = await grants.startDevice(web)
      await grants.exchangeCode(web, await grants.createCode(web))
      await server.call(
        ClientService.method.updateClient,
        { client: { clientId: web.clientId, config: JWT } },
        grants.bearer(),
      )
      const tooLong = { reason: 'OAUTH_INVALID_REQUEST', violations: ['scopes'] }
      for (const more of [{}, { scopes }]) {
        expect(await refusalOf(grants.createCode(web, more))).toMatchObject(tooLong)
        expect(await refusalOf(grants.startDevice(web, more))).toMatchObject(tooLong)
        expect(await refusalOf(grants.approveDevice(opaque, more))).toMatchObject(tooLong)
      }
      const fewer = { scopes: scopes.slice(0, 20) }
      await grants.approveDevice(opaque, fewer)
      for (const { accessToken } of [
        await grants.redeemDevice(web, opaque),
        await grants.exchangeCode(web, await grants.createCode(web, fewer)),
      ]) {
        expect(await grants.isActive(accessToken)).toBe(true)
      }
    })
  })

  describe('§4 validating', () => {
    let service: Awaited<ReturnType<typeof client>>
    let good: string
    beforeAll(async () => {
      service = await client()
      good = (await grants.mint(service, { audiences: [API] })).accessToken
    })

    /** Checks that a token is refused by every call that accepts access tokens. */
    async function expectRefused(token: string): Promise<void> {
      expect(await grants.isActive(token)).toBe(false)
      const verified = await refusalOf(server.call(verifyToken, { client: service.client, token }))
      expect(verified).toMatchObject({ reason: 'OAUTH_INVALID_TOKEN', metadata: { token: 'presented' } })
      expect((await refusalOf(grants.exchangeToken(service, token))).reason).toBe('OAUTH_INVALID_REQUEST')
      expect(await server.call(revokeToken, { client: service.client, token })).toMatchObject({})
      expect((await refusalOf(server.call(listSigningKeys, {}, { bearer: token }))).reason).toBe('OAUTH_INVALID_TOKEN')
    }

    it('a resource server verifies a JWT with only the key set, and refuses one for another audience', async () => {
      const payload = await jwts.verifyOffline(good, API)
      expect(payload).toMatchObject({ client_id: service.clientId })
      await expect(jwts.verifyOffline(good, 'https://other.example')).rejects.toThrow(/"aud"/)
    })

    it('VerifyToken, introspection and revocation accept a JWT like an opaque token', async () => {
      const token = await grants.mint(service, { audiences: [API] })
      const { claims } = await server.call(verifyToken, {
        client: service.client,
        token: token.accessToken,
        requiredScopes: ['orders.read'],
        audience: API,
      })
      expect(claims?.tokenId).toBe(token.tokenId)
      const stranger = await client()
      const hidden = await server.call(introspectToken, { client: stranger.client, token: token.accessToken })
      expect(hidden.active).toBe(false)
      const refused = await refusalOf(server.call(revokeToken, { client: stranger.client, token: token.accessToken }))
      expect(refused.reason).toBe('OAUTH_INVALID_GRANT')
      await server.call(revokeToken, { client: service.client, token: token.accessToken })
      expect(await grants.isActive(token.accessToken)).toBe(false)
      // As documented, a resource server that verifies offline does not learn of the revocation.
      expect(await jwts.verifyOffline(token.accessToken, API)).toMatchObject({ jti: token.tokenId })
    })

    it('a JWT with the permission authorizes management calls', async () => {
      const admin = await server.registerClient({ scopes: ['qscope:keys.read'], config: JWT })
      const { accessToken } = await grants.mint(admin)
      expect(claimsIn({ accessToken })['aud']).toBe(server.issuer)
      const { keys } = await server.call(listSigningKeys, {}, { bearer: accessToken })
      expect(keys.length).toBeGreaterThan(0)
    })

    it('a JWT is inactive while its client is disabled or its user deactivated', async () => {
      const web = await grants.webClient({ config: JWT })
      const own = await grants.mint(service)
      const { accessToken } = await grants.signIn(web)
      const userId = (await grants.claimsOf(accessToken))?.subject ?? ''
      await server.call(UserService.method.deactivateUser, { userId }, grants.bearer())
      expect(await grants.isActive(accessToken)).toBe(false)
      await server.call(ClientService.method.disableClient, { clientId: service.clientId }, grants.bearer())
      expect(await grants.isActive(own.accessToken)).toBe(false)
      await server.call(ClientService.method.enableClient, { clientId: service.clientId }, grants.bearer())
      expect(await grants.isActive(own.accessToken)).toBe(true)
    })

    it('a JWT stays active if its client changes to opaque tokens', async () => {
      const other = await client()
      const { accessToken } = await grants.mint(other)
      await server.call(
        ClientService.method.updateClient,
        { client: { clientId: other.clientId, config: {} }, updateMask: { paths: ['config.access_token_format'] } },
        grants.bearer(),
      )
      expect((await grants.mint(other)).accessToken).toMatch(/^qat_/)
      expect(await grants.isActive(accessToken)).toBe(true)
    })

    it('refuses alg none', async () => {
      const claims = partOf(good, 1)
      const unsecured = new UnsecuredJWT(claims).encode()
      const [, payload = ''] = good.split('.')
      const header = { ...partOf(good, 0), alg: 'none' }
      const named = Buffer.from(JSON.stringify(header)).toString('base64url')
      for (const token of [unsecured, `${named}.${payload}.`, `${named}.${payload}.AA`]) await expectRefused(token)
    })

    it('refuses HS256 with the public key as secret', async () => {
      const [jwk] = (await jwts.keySet()).keys.filter(({ kid }) => kid === partOf(good, 0)['kid'])
      const publicKey = await importJWK({ ...jwk }, 'ES256', { extractable: true })
      if (publicKey instanceof Uint8Array) throw new Error('the key is symmetric')
      for (const secret of [await exportSPKI(publicKey), JSON.stringify(jwk)]) {
        const confused = await new SignJWT(partOf(good, 1))
          .setProtectedHeader({ ...partOf(good, 0), alg: 'HS256' })
          .sign(createSecretKey(Buffer.from(secret)))
        await expectRefused(confused)
      }
    })

    it('refuses any other typ, even if signed with the server’s key', async () => {
      for (const typ of ['JWT', 'at+JWT ', 'application/at+jwt', 'dpop+jwt', undefined]) {
        await expectRefused(await jwts.forge(good, {}, { typ }))
      }
    })

    it('refuses additional header parameters', async () => {
      await expectRefused(await jwts.forge(good, {}, { jku: 'https://evil.example/keys' }))
      await expectRefused(await jwts.forge(good, {}, { cty: 'JWT' }))
    })

    it('refuses a JWT signed with a foreign key, whatever its kid', async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      for (const kid of [partOf(good, 0)['kid'], '0190aaaa-0000-7000-8000-000000000001', '../../keys', undefined]) {
        const foreign = new SignJWT(partOf(good, 1)).setProtectedHeader({
          ...partOf(good, 0),
          alg: 'ES256',
          kid: kid as string,
        })
        await expectRefused(await foreign.sign(privateKey))
      }
    })

    it('refuses a JWT with a changed payload, signature or spelling', async () => {
      const other = (await grants.mint(service)).accessToken
      const [header = '', payload = '', signature = ''] = good.split('.')
      const wider = Buffer.from(JSON.stringify({ ...partOf(good, 1), scope: 'qscope:keys.write' })).toString(
        'base64url',
      )
      const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
      // Four bits of the last character of 64 bytes are not part of the signature.
      const respelled = signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1)
      const parts = [
        [header, wider, signature],
        [header, other.split('.')[1] ?? '', signature],
        [header, payload, flipped],
        [header, payload, respelled],
        [header, payload, `${signature}=`],
        [header, payload],
        [header, payload, signature, ''],
        ['', payload, signature],
      ]
      for (const part of parts) await expectRefused(part.join('.'))
      for (const token of [` ${good}`, `${good}\n`, good.toUpperCase()])
        expect(await grants.isActive(token)).toBe(false)
      expect(await grants.isActive(good)).toBe(true)
    })

    it('refuses a second signature of the same claims, because only the issued token is stored', async () => {
      const again = await jwts.forge(good, {})
      expect(await jwts.verifyOffline(again, API)).toMatchObject({ jti: partOf(good, 1)['jti'] })
      await expectRefused(again)
    })

    it('refuses another issuer and invalid times', async () => {
      const now = Math.floor(server.clock.now() / 1_000)
      const changes = [
        { iss: 'https://other.example' },
        { exp: now - 1 },
        { iat: now + 3_600 },
        { nbf: now + 3_600 },
        { exp: 'tomorrow' as unknown as number },
      ]
      for (const change of changes) await expectRefused(await jwts.forge(good, change))
    })

    it('refuses a JWT that is longer than any issued one', async () => {
      await expectRefused(await jwts.forge(good, { padding: 'x'.repeat(5_500) }))
      const long = await jwts.forge(good, { padding: 'x'.repeat(9_000) })
      await expectRefused(long)
      const bearer = await refusalOf(server.call(listSigningKeys, {}, { bearer: long }))
      expect(bearer.reason).toBe('OAUTH_INVALID_TOKEN')
    })

    it('refuses a JWT after its exp, as an offline verifier does', async () => {
      const token = await grants.mint(service, { audiences: [API], lifetime: { seconds: 30n } })
      server.clock.advance(28_000)
      expect(await grants.isActive(token.accessToken)).toBe(true)
      expect(await jwts.verifyOffline(token.accessToken, API)).toMatchObject({ jti: token.tokenId })
      server.clock.advance(2_001)
      await expect(jwts.verifyOffline(token.accessToken, API)).rejects.toThrow(/"exp"/)
      await expectRefused(token.accessToken)
    })

    it('refuses JWTs of a revoked key, and tokens exchanged for them, in the next call', async () => {
      const key = await jwts.keyOf(good)
      const derived = await grants.exchangeToken(await grants.serviceClient(), (await grants.mint(service)).accessToken)
      expect(derived.accessToken).toMatch(/^qat_/)
      await server.call(revokeSigningKey, { keyId: key.keyId }, grants.bearer())
      await expectRefused(good)
      expect(await grants.isActive(derived.accessToken)).toBe(false)
      expect((await jwts.keySet()).keys.map(({ kid }) => kid)).not.toContain(key.keyId)
      const next = await grants.mint(service, { audiences: [API] })
      expect(partOf(next.accessToken, 0)['kid']).not.toBe(key.keyId)
      expect(await jwts.verifyOffline(next.accessToken, API)).toMatchObject({ jti: next.tokenId })
    })
  })

  it('§5 refuses to register a client with the id of a user, so that sub is unambiguous', async () => {
    const { accessToken } = await grants.signIn(await grants.webClient({ config: JWT }))
    const clientId = String(claimsIn({ accessToken })['sub'])
    const refused = await refusalOf(client({ clientId }))
    expect(refused.violations).toEqual(['client_id'])
  })

  it('a public client gets JWTs too', async () => {
    const native = await grants.nativeClient({ config: JWT, type: ClientType.PUBLIC })
    const { accessToken } = await grants.signIn(native)
    expect(claimsIn({ accessToken })['client_id']).toBe(native.clientId)
  })

  it('the key set has only the public members of RFC 7517', async () => {
    await grants.mint(await client({ grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE] }))
    for (const key of (await jwts.keySet()).keys) {
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'rvk', 'use', 'x', 'y'])
      expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' })
    }
  })

  it('parallel calls of MintToken create no further key', async () => {
    const { keys } = await server.call(listSigningKeys, {}, grants.bearer())
    await Promise.all(
      Array.from({ length: 20 }, async () => server.call(mintToken, { client: (await client()).client })),
    )
    expect((await server.call(listSigningKeys, {}, grants.bearer())).keys.length).toBe(keys.length)
  })
})

async function failed(call: Promise<unknown>): Promise<boolean> {
  return await call.then(
    () => false,
    () => true,
  )
}

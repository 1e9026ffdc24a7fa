import { createHmac, createPublicKey, randomUUID, sign } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import {
  ALGORITHMS,
  type Claims,
  inSeconds,
  jwksOf,
  type SigningPair,
  signed,
  signingPair,
} from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { refusalOf } from '../setup/client.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { AUDIENCE, CI, CLUSTER, SILENT, trustedIssuers } from '../setup/trusted-issuers.ts'

const { exchangeAssertion, introspectToken, mintToken } = TokenService.method
const PRIVATE_KEY_JWT = AuthenticationMethod.PRIVATE_KEY_JWT
const folder = suiteFolder()
/** As other servers of the tests are called; and another. */
const [OWN, PEER] = ['http://127.0.0.1:50051', 'https://peer.example']
const issuers = await trustedIssuers(folder, OWN, PEER)
const OPTIONS = { variables: { ...LIMITS_OFF, QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file } }

/** A JWT without a library, for headers that libraries refuse to sign. */
function forged(header: Claims, claims: Claims, sign: (input: string) => string = () => ''): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign(input)}`
}

/** A client that authenticates with a key, and its default claims. */
async function keyClient(
  server: TestServer,
  pair: SigningPair = signingPair('ES256'),
  more: Parameters<TestServer['registerClient']>[0] = {},
) {
  const { clientId } = await server.registerClient({
    authenticationMethod: PRIVATE_KEY_JWT,
    jwks: jwksOf(pair),
    scopes: ['a'],
    ...more,
  })
  const claims = (more: Claims = {}): Claims => ({
    iss: clientId,
    sub: clientId,
    aud: server.issuer,
    jti: randomUUID(),
    exp: inSeconds(60),
    ...more,
  })
  const proof = (assertion: string) => ({ clientId, method: { case: 'clientAssertion' as const, value: assertion } })
  const mintWith = (assertion: string) => server.call(mintToken, { client: proof(assertion) })
  return { clientId, pair, claims, proof, mintWith }
}

/** A JWT with the given text as header and claims, signed with ES256. */
function handWritten(pair: SigningPair, header: string, claims: string): string {
  const input = [header, claims].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** Spellings of a JWT that decoders forgive (RFC 7515 §2: base64url without padding, line breaks, white space or anything else). */
function respelled(jwt: string): readonly string[] {
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const between = (part: string, what: string) => part.slice(0, 4) + what + part.slice(4)
  const odd = [' ', '\n', '\r\n', '\t', '=', '==', '+', '/', '!', '\u00a0', 'é']
  const last = signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1)
  return [
    ...odd.flatMap((what) => [
      `${header}.${payload}.${signature}${what}`,
      `${header}.${payload}.${between(signature, what)}`,
      `${header}.${payload}${what}.${signature}`,
      `${header}.${between(payload, what)}.${signature}`,
      `${header}${what}.${payload}.${signature}`,
      `${between(header, what)}.${payload}.${signature}`,
      `${what}${jwt}`,
    ]),
    // Four bits of the last character are not part of the signature.
    `${header}.${payload}.${last}`,
    `${header}.${payload}.${signature}A`,
    `${jwt}.`,
    `${header}..${signature}`,
  ]
}

onEveryBackend(
  'RFC 7523, client authentication',
  (server) => {
    // The first test of this suite, because repeated failures from one address are not recorded.
    it('§3.2 failures are all invalid_client, alike, and audited', async () => {
      const { clientId, pair, claims, mintWith } = await keyClient(server)
      const refused = await refusalOf(mintWith(await signed(pair, claims({ exp: inSeconds(-10) }))))
      const unknown = await refusalOf(
        server.call(mintToken, { client: { clientId: 'nobody', method: { case: 'clientAssertion', value: 'x' } } }),
      )
      expect([refused.status, refused.message]).toEqual([unknown.status, unknown.message])
      await server.flush()
      const events = await server.auditEvents({ clientId, eventTypes: ['client.authentication_failed'] })
      expect(events).toHaveLength(1)
    })

    it.each(ALGORITHMS)('§2.2 authenticates a client by an assertion signed with %s', async (algorithm) => {
      const { clientId, pair, claims, mintWith } = await keyClient(server, signingPair(algorithm))
      const { token } = await mintWith(await signed(pair, claims()))
      expect(token?.scopes).toEqual(['a'])
      const introspected = await server.call(introspectToken, {
        client: server.admin.client,
        token: token?.accessToken ?? '',
      })
      expect(introspected.claims).toMatchObject({ clientId, subject: clientId })
    })

    it('§2.2 refuses every method but the registered one', async () => {
      const { clientId, pair, claims, proof } = await keyClient(server)
      const secretClient = await server.registerClient({})
      const own = await signed(pair, claims({ iss: secretClient.clientId, sub: secretClient.clientId }))
      const attempts = [
        { clientId },
        { clientId, method: { case: 'clientSecret' as const, value: 'secret' } },
        { ...proof(own), clientId: secretClient.clientId },
      ]
      for (const client of attempts) {
        expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      }
    })

    describe('§3 an assertion', () => {
      it('an assertion with another issuer, subject or audience, or none, is refused', async () => {
        const { clientId, pair, claims, mintWith } = await keyClient(server)
        const broken: readonly Claims[] = [
          { iss: 'somebody' },
          { sub: 'somebody' },
          { iss: undefined },
          { sub: undefined },
          { aud: undefined },
          { aud: clientId },
          { aud: `${server.issuer}/` },
          { aud: server.issuer.toUpperCase() },
          { aud: [] },
          { aud: [server.issuer, 'https://other.example'] },
          { aud: ['https://other.example', server.issuer] },
        ]
        for (const more of broken) {
          const refused = await refusalOf(mintWith(await signed(pair, claims(more))))
          expect([more, refused.status, refused.reason]).toEqual([more, 'UNAUTHENTICATED', 'OAUTH_INVALID_CLIENT'])
        }
        await mintWith(await signed(pair, claims({ aud: [server.issuer] })))
      })

      it('an assertion that has expired, expires too late, or is not valid yet is refused', async () => {
        const { pair, claims, mintWith } = await keyClient(server)
        const broken: readonly Claims[] = [
          { exp: undefined },
          { exp: inSeconds(-1) },
          { exp: inSeconds(335) },
          { exp: 'soon' },
          { nbf: inSeconds(45) },
          { iat: inSeconds(45) },
        ]
        for (const more of broken) {
          const refused = await refusalOf(mintWith(await signed(pair, claims(more))))
          expect([more, refused.reason]).toEqual([more, 'OAUTH_INVALID_CLIENT'])
        }
        await mintWith(await signed(pair, claims({ exp: inSeconds(300), nbf: inSeconds(20), iat: inSeconds(20) })))
      })

      it('an assertion of the longest lifetime is accepted from a client whose clock is up to 28 s ahead', async () => {
        const { pair, claims, mintWith } = await keyClient(server)
        for (const ahead of [0, 2, 10, 28]) {
          const times = { exp: inSeconds(ahead + 300), nbf: inSeconds(ahead), iat: inSeconds(ahead) }
          await mintWith(await signed(pair, claims(times)))
        }
        for (const more of [{ exp: inSeconds(335) }, { exp: inSeconds(3_600) }]) {
          expect((await refusalOf(mintWith(await signed(pair, claims(more))))).reason).toBe('OAUTH_INVALID_CLIENT')
        }
      })

      it('an assertion requires a jti, and is accepted once', async () => {
        const { pair, claims, mintWith } = await keyClient(server)
        expect((await refusalOf(mintWith(await signed(pair, claims({ jti: undefined }))))).reason).toBe(
          'OAUTH_INVALID_CLIENT',
        )
        const jti = randomUUID()
        await mintWith(await signed(pair, claims({ jti })))
        const again = await signed(pair, claims({ jti, exp: inSeconds(120) }))
        expect((await refusalOf(mintWith(again))).reason).toBe('OAUTH_INVALID_CLIENT')
      })

      it('two clients may use the same jti', async () => {
        const jti = randomUUID()
        for (const { pair, claims, mintWith } of [await keyClient(server), await keyClient(server)]) {
          await mintWith(await signed(pair, claims({ jti })))
        }
      })

      it('a refused assertion does not use up its jti', async () => {
        const { pair, claims, mintWith } = await keyClient(server)
        const jti = randomUUID()
        const stranger = signingPair('ES256', pair.kid)
        expect((await refusalOf(mintWith(await signed(stranger, claims({ jti }))))).reason).toBe('OAUTH_INVALID_CLIENT')
        await mintWith(await signed(pair, claims({ jti })))
      })

      it('an assertion of another client is refused', async () => {
        const [one, other] = [await keyClient(server), await keyClient(server)]
        const assertion = await signed(other.pair, other.claims())
        const client = { ...one.proof(assertion) }
        expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
      })

      it('an assertion without a signature, or with an HMAC keyed with the public key, is refused', async () => {
        const { pair, claims, mintWith } = await keyClient(server, signingPair('RS256'))
        const publicKey = createPublicKey(pair.privateKey)
        const secrets = [
          publicKey.export({ format: 'pem', type: 'spki' }),
          publicKey.export({ format: 'der', type: 'spki' }),
          JSON.stringify(pair.publicJwk),
        ]
        const { kid } = pair
        const attacks = [
          forged({ alg: 'none', kid }, claims()),
          forged({ alg: 'None' }, claims()),
          forged({ kid }, claims()),
          ...secrets.map((secret) =>
            forged({ alg: 'HS256', kid }, claims(), (input) =>
              createHmac('sha256', secret).update(input).digest('base64url'),
            ),
          ),
          'garbage',
          'a.b.c',
        ]
        for (const assertion of attacks) {
          expect((await refusalOf(mintWith(assertion))).reason).toBe('OAUTH_INVALID_CLIENT')
        }
      })

      it('an assertion is refused if a space, a line break or padding is added', async () => {
        const { pair, claims, mintWith } = await keyClient(server)
        const assertion = await signed(pair, claims())
        for (const text of respelled(assertion)) {
          expect([text, (await refusalOf(mintWith(text))).reason]).toEqual([text, 'OAUTH_INVALID_CLIENT'])
        }
        await mintWith(assertion)
      })

      it('an assertion with a duplicate name in header or claims, or with crit or b64, is refused', async () => {
        const { pair, claims, mintWith } = await keyClient(server)
        const { kid } = pair
        const good = JSON.stringify({ alg: 'ES256', kid })
        const own = JSON.stringify(claims())
        const broken = [
          [`{"alg":"none",${good.slice(1)}`, own],
          [`{"\\u0061lg":"none",${good.slice(1)}`, own],
          [`{"x":{"a":1,"a":2},${good.slice(1)}`, own],
          [good, `{"sub":"somebody",${own.slice(1)}`],
          [good, `{"x":[{"a":1, "a" :2}],${own.slice(1)}`],
          [JSON.stringify({ alg: 'ES256', kid, crit: [] }), own],
          [JSON.stringify({ alg: 'ES256', kid, crit: ['b64'], b64: false }), own],
          [JSON.stringify({ alg: 'ES256', kid, b64: false }), own],
          [JSON.stringify({ alg: 'ES256', kid: 1 }), own],
          [JSON.stringify([good]), own],
          [`\ufeff${good}`, own],
          [good, `[${own}]`],
        ] as const
        for (const [header, payload] of broken) {
          const refused = await refusalOf(mintWith(handWritten(pair, header, payload)))
          expect([header, payload, refused.reason]).toEqual([header, payload, 'OAUTH_INVALID_CLIENT'])
        }
        const spaced = `{ "alg" : "ES256" , "kid" : "${kid}", "x": "\\"alg\\":", "y": {"alg": {"alg": [{}]}} }`
        await mintWith(handWritten(pair, spaced, own))
      })

      it('an assertion with another algorithm than its key’s, another type, or an unknown extension is refused', async () => {
        const { pair, claims, mintWith } = await keyClient(server, signingPair('RS256'))
        const otherAlgorithm = await signed({ ...pair, algorithm: 'PS256' }, claims())
        const types = ['at+jwt', 'token-introspection+jwt', 'txntoken+jwt', 'application/token-introspection+jwt']
        const otherTypes = await Promise.all(types.map((typ) => signed(pair, claims(), { typ })))
        const embedded = await signed(signingPair('RS256', pair.kid), claims(), { jwk: pair.publicJwk })
        const extended = forged({ alg: 'RS256', kid: pair.kid, crit: ['x'], x: 1 }, claims(), () => 'AA')
        const grant = await signed(pair, claims(), { typ: 'authorization-grant+jwt' })
        for (const assertion of [otherAlgorithm, ...otherTypes, grant, embedded, extended]) {
          expect((await refusalOf(mintWith(assertion))).reason).toBe('OAUTH_INVALID_CLIENT')
        }
        await mintWith(await signed(pair, claims(), { typ: 'client-authentication+jwt' }))
      })
    })

    it('§3 keys can be rotated without interruption, and a removed key is refused', async () => {
      const { clientId, pair, claims, mintWith } = await keyClient(server)
      const next = signingPair('EdDSA')
      const update = (jwks: string) =>
        server.call(
          ClientService.method.updateClient,
          { client: { clientId, jwks }, updateMask: { paths: ['jwks'] } },
          { bearer: server.admin.token },
        )
      await update(jwksOf(pair, next))
      await mintWith(await signed(pair, claims()))
      await mintWith(await signed(next, claims()))
      const { client } = await update(jwksOf(next))
      expect(client?.jwks).toBe(jwksOf(next))
      expect((await refusalOf(mintWith(await signed(pair, claims())))).reason).toBe('OAUTH_INVALID_CLIENT')
    })

    describe('the key set of a registration', () => {
      const register = (jwks: string | undefined) =>
        server.registerClient({ authenticationMethod: PRIVATE_KEY_JWT, ...(jwks !== undefined && { jwks }) })
      const privateJwk = (pair: SigningPair) => ({ ...pair.privateKey.export({ format: 'jwk' }) })

      it('§3 a key set without usable public keys is refused', async () => {
        const [pair, other] = [signingPair('ES256'), signingPair('RS256')]
        const set = (...keys: object[]) => JSON.stringify({ keys })
        const unusable = [
          undefined,
          'nonsense',
          '{}',
          set(),
          set(privateJwk(pair)),
          set(privateJwk(other)),
          set(pair.publicJwk, { kty: 'oct', k: 'c2VjcmV0' }),
          set({ ...pair.publicJwk, alg: 'RS256' }),
          set({ ...other.publicJwk, alg: 'HS256' }),
          set({ ...other.publicJwk, alg: 'none' }),
          set({ ...pair.publicJwk, use: 'enc' }),
          set({ ...pair.publicJwk, x: 'AA' }),
          ...['AQ', 'Ag', 'AQAA', Buffer.alloc(64, 255).toString('base64url')].map((e) =>
            set({ ...signingPair('RS256').publicJwk, e }),
          ),
          set(pair.publicJwk, { ...other.publicJwk, kid: pair.kid }),
          jwksOf(...Array.from({ length: 11 }, () => signingPair('EdDSA'))),
        ]
        for (const jwks of unusable) {
          const refused = await refusalOf(register(jwks))
          expect([jwks, refused.reason]).toEqual([jwks, 'REGISTRATION_INVALID_CLIENT_METADATA'])
          expect(new Set(refused.violations)).toEqual(new Set(['jwks']))
        }
      })

      it('§3 a key set may contain keys for other purposes, which do not verify assertions', async () => {
        const [pair, other] = [signingPair('ES256'), signingPair('RS256')]
        const { alg: _alg, ...rsa } = other.publicJwk
        const beside: readonly object[] = [
          { ...rsa, use: 'enc' },
          { ...other.publicJwk, use: 'enc', alg: 'RSA-OAEP-256' },
          { ...rsa, alg: 'RSA-OAEP' },
          { ...rsa, key_ops: ['encrypt', 'wrapKey'] },
          { ...rsa, use: 'enc', kid: pair.kid },
          { kty: 'OKP', crv: 'X25519', x: 'AAAA', kid: 'x' },
          { kty: 'EC', crv: 'P-521', x: 'AA', y: 'AA' },
          { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' },
        ]
        for (const key of beside) {
          const jwks = JSON.stringify({ keys: [key, pair.publicJwk] })
          const { claims, mintWith } = await keyClient(server, pair, { jwks })
          await mintWith(await signed(pair, claims()))
          expect((await refusalOf(mintWith(await signed(other, claims())))).reason).toBe('OAUTH_INVALID_CLIENT')
          const alone = await refusalOf(register(JSON.stringify({ keys: [key] })))
          expect(alone).toMatchObject({ reason: 'REGISTRATION_INVALID_CLIENT_METADATA' })
          expect(alone.details.badRequest?.fieldViolations[1]?.description).toMatch(
            /^keys\[0\] (is not a signature key|does not fit any of|does not allow verify)/,
          )
        }
      })

      it('§3 a key set is refused if any key is private, symmetric or malformed', async () => {
        const [pair, other] = [signingPair('ES256'), signingPair('RS256')]
        for (const key of [
          { ...privateJwk(other), use: 'enc' },
          { kty: 'oct', k: 'c2VjcmV0', use: 'enc' },
          { ...signingPair('ES256').publicJwk, x: 'AA' },
          'key',
        ]) {
          const refused = await refusalOf(register(JSON.stringify({ keys: [pair.publicJwk, key] })))
          expect(refused).toMatchObject({ reason: 'REGISTRATION_INVALID_CLIENT_METADATA', violations: ['jwks'] })
        }
      })

      it('§3 an RSA key of less than 2048 bits is refused', async () => {
        const { generateKeyPairSync } = await import('node:crypto')
        const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 })
        const refused = await refusalOf(register(JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] })))
        expect(refused.details.badRequest?.fieldViolations[0]?.description).toContain('1024 bits')
      })

      it('a private key that is sent by mistake is not logged', async () => {
        const jwk = privateJwk(signingPair('ES256'))
        await refusalOf(register(JSON.stringify({ keys: [jwk] })))
        expect(JSON.stringify(server.lines)).not.toContain(String(jwk.d))
      })

      it('a key set is refused for a client with another method of authentication', async () => {
        const refused = await refusalOf(server.registerClient({ jwks: jwksOf(signingPair('ES256')) }))
        expect(refused.violations).toEqual(['jwks'])
      })
    })
  },
  OPTIONS,
)

onEveryBackend('RFC 7523, several instances', (server, database) => {
  it('§3 of many calls with one assertion on two instances, one is accepted', async () => {
    const second = await startServer(database.url, server.keyring, server.first)
    try {
      const { pair, claims, proof } = await keyClient(server)
      for (let round = 0; round < 5; round += 1) {
        const client = proof(await signed(pair, claims()))
        const calls = Array.from({ length: 20 }, (_, n) => [server, second][n % 2]?.call(mintToken, { client }))
        const ended = await Promise.allSettled(calls)
        expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        const reasons = ended.flatMap((end) => (end.status === 'rejected' ? [end.reason.reason] : []))
        expect(new Set(reasons)).toEqual(new Set(['OAUTH_INVALID_CLIENT']))
      }
    } finally {
      await second.stop()
    }
  })

  it('§3 300 different assertions at the same time are all accepted', async () => {
    const { pair, claims, mintWith } = await keyClient(server)
    const assertions = await Promise.all(Array.from({ length: 300 }, () => signed(pair, claims())))
    const minted = await Promise.all(assertions.map(mintWith))
    expect(minted.every(({ token }) => token !== undefined)).toBe(true)
  })
})

onEveryBackend('RFC 7523, calls that last', (server) => {
  const { approveDeviceAuthorization, startDeviceAuthorization, watchDeviceAuthorization } = DeviceService.method
  const watch = async () => {
    const device = { grantTypes: [GrantType.DEVICE_CODE], config: { deviceCodeTtl: { seconds: 3_600n } } }
    const { clientId, pair, claims, proof } = await keyClient(server, signingPair('ES256'), device)
    const client = async () => proof(await signed(pair, claims()))
    const { deviceCode, userCode } = await server.call(startDeviceAuthorization, { client: await client() })
    const watching = server.stream(watchDeviceAuthorization, { client: await client(), deviceCode })
    await expect.poll(() => watching.items.length).toBe(1)
    const user = { id: { case: 'externalId' as const, value: server.unique('user-') } }
    const approve = () => server.call(approveDeviceAuthorization, { userCode, user }, { bearer: server.admin.token })
    return { clientId, pair, watching, approve }
  }

  it('§3 a watch is refused if the client’s keys have changed before it issues the token', async () => {
    const { clientId, watching, approve } = await watch()
    const changed = { client: { clientId, jwks: jwksOf(signingPair('EdDSA')) }, updateMask: { paths: ['jwks'] } }
    await server.call(ClientService.method.updateClient, changed, { bearer: server.admin.token })
    await approve()
    await expect(watching.ended).rejects.toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
  })

  it('§3 a watch continues after its assertion has expired', async () => {
    const { watching, approve } = await watch()
    server.clock.advance(1_800_000)
    await approve()
    await watching.ended
    expect(watching.items.at(-1)?.token?.accessToken).toMatch(/^qat_/)
  })
})

onEveryBackend(
  'RFC 7523, authorization grants',
  (server) => {
    const bearer = () => ({ bearer: server.admin.token })
    const workload = (clientId: string, scopes: string[]) =>
      server.registerClient({
        clientId,
        scopes,
        grantTypes: [GrantType.JWT_BEARER],
        audiences: ['https://api.example'],
      })
    beforeAll(async () => {
      await workload('orders', ['orders.read', 'orders.write', 'orders.admin', 'qscope:clients.read'])
      await workload('batch', ['orders.read'])
      await workload('tools', ['tools.run'])
      await workload('ci-runner', ['deploy'])
    })

    /** The claims of a token that the kubelet projects into a pod. */
    const projected = (more: Claims = {}): Claims => ({
      iss: CLUSTER,
      sub: 'system:serviceaccount:shop:orders',
      aud: [AUDIENCE],
      iat: inSeconds(0),
      nbf: inSeconds(0),
      exp: inSeconds(3_600),
      'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'orders', uid: randomUUID() } },
      ...more,
    })
    const job = (more: Claims = {}): Claims => ({
      iss: CI,
      sub: 'job',
      aud: server.issuer,
      exp: inSeconds(300),
      jti: randomUUID(),
      ...more,
    })
    const exchange = (assertion: string, more: { scopes?: string[]; audiences?: string[] } = {}) =>
      server.call(exchangeAssertion, { assertion, ...more })

    it('§2.1 a projected token of a Kubernetes service account is exchanged repeatedly, without a secret', async () => {
      const assertion = await signed(issuers.cluster, projected())
      for (let use = 0; use < 3; use += 1) {
        const { token } = await exchange(assertion)
        expect(token?.scopes).toEqual(['orders.read', 'orders.write'])
        const { claims } = await server.call(introspectToken, {
          client: server.admin.client,
          token: token?.accessToken ?? '',
        })
        expect(claims).toMatchObject({ clientId: 'orders', subject: 'orders', issuer: server.issuer })
      }
    })

    it('§2.1 the first rule whose claims match selects the client', async () => {
      const clientOf = async (claims: Claims) => {
        const { token } = await exchange(await signed(issuers.cluster, projected(claims)))
        const request = { client: server.admin.client, token: token?.accessToken ?? '' }
        return (await server.call(introspectToken, request)).claims?.clientId
      }
      expect(await clientOf({ sub: 'system:serviceaccount:batch:nightly' })).toBe('batch')
      expect(await clientOf({ sub: 'system:serviceaccount:x:y', 'kubernetes.io': { namespace: 'tools' } })).toBe(
        'tools',
      )
      const nobody: readonly Claims[] = [
        { sub: 'system:serviceaccount:shop:orders2' },
        { sub: 'System:serviceaccount:shop:orders' },
        { sub: 'x:system:serviceaccount:batch:nightly' },
        { sub: 'system:serviceaccount:x:y', 'kubernetes.io.namespace': 'tools' },
        { sub: 'system:serviceaccount:shop:gone' },
      ]
      for (const claims of nobody) {
        const refused = await refusalOf(exchange(await signed(issuers.cluster, projected(claims))))
        expect([claims, refused.reason]).toEqual([claims, 'OAUTH_INVALID_GRANT'])
      }
    })

    it('§2.1 issues scopes of both the rule and the client, and no permission of this server', async () => {
      const assertion = await signed(issuers.cluster, projected())
      expect((await exchange(assertion, { scopes: ['orders.read'] })).token?.scopes).toEqual(['orders.read'])
      for (const scope of ['orders.admin', 'qscope:clients.read', 'tools.run']) {
        const refused = await refusalOf(exchange(assertion, { scopes: [scope] }))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_SCOPE', metadata: { rejected_scopes: scope } })
      }
      expect((await exchange(assertion, { audiences: ['https://api.example'] })).token?.audiences).toEqual([
        'https://api.example',
      ])
      expect((await refusalOf(exchange(assertion, { audiences: ['https://x.example'] }))).reason).toBe(
        'OAUTH_INVALID_TARGET',
      )
    })

    it('§2.1 invalid_scope: the client has none of the scopes of the rule', async () => {
      const assertion = await signed(issuers.cluster, projected({ sub: 'system:serviceaccount:batch:x' }))
      const register = (scopes: string[]) =>
        server.call(
          ClientService.method.updateClient,
          { client: { clientId: 'batch', scopes }, updateMask: { paths: ['scopes'] } },
          bearer(),
        )
      for (const scopes of [[], ['others']]) {
        await register(scopes)
        for (const asked of [[], ['orders.read']]) {
          const refused = await refusalOf(exchange(assertion, { scopes: asked }))
          expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_SCOPE', metadata: { rejected_scopes: 'orders.read' } })
        }
      }
      await register(['orders.read'])
      await exchange(assertion)
    })

    it('§2.1 client authentication is optional, and refused if it fails or is that of another client', async () => {
      const assertion = await signed(issuers.cluster, projected())
      const stranger = await server.registerClient({ grantTypes: [GrantType.JWT_BEARER] })
      const asStranger = await refusalOf(server.call(exchangeAssertion, { assertion, client: stranger.client }))
      expect(asStranger.reason).toBe('OAUTH_INVALID_GRANT')
      const wrong = { clientId: 'orders', method: { case: 'clientSecret' as const, value: 'wrong' } }
      expect((await refusalOf(server.call(exchangeAssertion, { assertion, client: wrong }))).reason).toBe(
        'OAUTH_INVALID_CLIENT',
      )
      const asBearer = await refusalOf(server.call(exchangeAssertion, { assertion }, bearer()))
      expect(asBearer.reason).toBe('OAUTH_INVALID_CLIENT')
    })

    it('§2.1 a client must be registered for the grant, and enabled', async () => {
      const method = ClientService.method
      const assertion = await signed(issuers.cluster, projected({ sub: 'system:serviceaccount:batch:x' }))
      await server.call(method.disableClient, { clientId: 'batch' }, bearer())
      expect((await refusalOf(exchange(assertion))).reason).toBe('OAUTH_INVALID_GRANT')
      await server.call(method.enableClient, { clientId: 'batch' }, bearer())
      const grantTypes = (types: GrantType[]) =>
        server.call(
          method.updateClient,
          { client: { clientId: 'batch', grantTypes: types }, updateMask: { paths: ['grant_types'] } },
          bearer(),
        )
      await grantTypes([GrantType.CLIENT_CREDENTIALS])
      const { reason, metadata } = await refusalOf(exchange(assertion))
      expect([reason, metadata['grant_type']]).toEqual([
        'OAUTH_UNAUTHORIZED_CLIENT',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
      ])
      await grantTypes([GrantType.JWT_BEARER])
      await exchange(assertion)
    })

    it('§2.1 a client that authenticates by certificate gets no token without its certificate', async () => {
      const assertion = await signed(issuers.cluster, projected({ sub: 'system:serviceaccount:batch:x' }))
      const proveBy = (authenticationMethod: AuthenticationMethod, tlsClientSubject: string) =>
        server.call(
          ClientService.method.updateClient,
          {
            client: { clientId: 'batch', authenticationMethod, tlsClientSubject },
            updateMask: { paths: ['authentication_method', 'tls_client_subject'] },
          },
          bearer(),
        )
      await proveBy(AuthenticationMethod.TLS_CLIENT, 'dns:batch.internal')
      expect((await refusalOf(exchange(assertion))).reason).toBe('OAUTH_INVALID_GRANT')
      await proveBy(AuthenticationMethod.CLIENT_SECRET, '')
      await exchange(assertion)
    })

    it('§3 an assertion with this server as issuer is refused, even if that issuer is configured as trusted', async () => {
      expect(server.issuer).toBe(OWN)
      const assertionOf = (iss: string) => signed(issuers.cluster, projected({ iss }))
      expect((await exchange(await assertionOf(PEER))).token?.scopes).toEqual(['orders.read'])
      const refused = await refusalOf(exchange(await assertionOf(OWN)))
      expect([refused.status, refused.reason]).toEqual(['FAILED_PRECONDITION', 'OAUTH_INVALID_GRANT'])
    })

    it('§3 issuer, subject, audience and expiry are required and checked', async () => {
      const broken: readonly Claims[] = [
        { iss: undefined },
        { iss: 'https://evil.example' },
        { iss: `${CLUSTER}/` },
        { iss: CI },
        { sub: undefined },
        { aud: undefined },
        { aud: 'https://kubernetes.default.svc' },
        { aud: [AUDIENCE, 'https://kubernetes.default.svc'] },
        { aud: server.issuer },
        { exp: undefined },
        { exp: inSeconds(-1) },
        { exp: inSeconds(7_300) },
        { nbf: inSeconds(60) },
        { iat: inSeconds(60) },
      ]
      for (const more of broken) {
        const refused = await refusalOf(exchange(await signed(issuers.cluster, projected(more))))
        expect([more, refused.status, refused.reason]).toEqual([more, 'FAILED_PRECONDITION', 'OAUTH_INVALID_GRANT'])
      }
    })

    it('§3 an assertion is refused unless it is signed with a key of the issuer and the algorithm of that key', async () => {
      const { cluster, ci } = issuers
      const secret = createPublicKey(cluster.privateKey).export({ format: 'pem', type: 'spki' })
      const attacks = [
        await signed(ci, projected()),
        await signed({ ...ci, kid: cluster.kid }, projected()),
        await signed({ ...signingPair('RS256'), kid: cluster.kid }, projected()),
        await signed({ ...cluster, algorithm: 'PS256' }, projected()),
        await signed(cluster, projected(), { typ: 'at+jwt' }),
        await signed(cluster, projected(), { typ: 'client-authentication+jwt' }),
        forged({ alg: 'none' }, projected()),
        forged({ alg: 'HS256', kid: cluster.kid }, projected(), (input) =>
          createHmac('sha256', secret).update(input).digest('base64url'),
        ),
        'garbage',
      ]
      for (const assertion of attacks) {
        expect((await refusalOf(exchange(assertion))).reason).toBe('OAUTH_INVALID_GRANT')
      }
    })

    it('§3 an assertion that is respelled, has a duplicate name, crit or b64 is refused', async () => {
      const assertion = await signed(issuers.ci, job())
      const { kid } = issuers.ci
      const claims = JSON.stringify(job())
      const broken = [
        ...respelled(assertion),
        handWritten(issuers.ci, `{"alg":"ES256","alg":"ES256","kid":"${kid}"}`, claims),
        handWritten(issuers.ci, JSON.stringify({ alg: 'ES256', kid }), `{"sub":"x",${claims.slice(1)}`),
        handWritten(issuers.ci, JSON.stringify({ alg: 'ES256', kid, b64: false }), claims),
        handWritten(issuers.ci, JSON.stringify({ alg: 'ES256', kid, crit: ['exp'] }), claims),
      ]
      for (const text of broken) {
        expect([text, (await refusalOf(exchange(text))).reason]).toEqual([text, 'OAUTH_INVALID_GRANT'])
      }
      await exchange(assertion)
    })

    it('§3 an assertion may have the typ of authorization grants', async () => {
      for (const typ of ['JWT', 'authorization-grant+jwt', 'application/authorization-grant+jwt']) {
        await exchange(await signed(issuers.cluster, projected(), { typ }))
      }
    })

    it('§3 a token of this server is refused as assertion', async () => {
      const { token } = await exchange(await signed(issuers.cluster, projected()))
      expect((await refusalOf(exchange(token?.accessToken ?? ''))).reason).toBe('OAUTH_INVALID_GRANT')
    })

    it('§3 assertions of an issuer that is configured for single use are accepted once, and require a jti', async () => {
      expect((await refusalOf(exchange(await signed(issuers.ci, job({ jti: undefined }))))).reason).toBe(
        'OAUTH_INVALID_GRANT',
      )
      const assertion = await signed(issuers.ci, job())
      expect((await refusalOf(exchange(assertion, { scopes: ['other'] }))).reason).toBe('OAUTH_INVALID_SCOPE')
      const ended = await Promise.allSettled(Array.from({ length: 10 }, () => exchange(assertion)))
      expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect((await refusalOf(exchange(assertion))).reason).toBe('OAUTH_INVALID_GRANT')
    })

    it('§3.1 failures are invalid_grant, without a hint', async () => {
      const refused = await refusalOf(exchange(await signed(issuers.cluster, projected({ exp: inSeconds(-1) }))))
      const other = await refusalOf(exchange('garbage'))
      expect(refused.message).toBe(other.message)
      expect(Object.keys(refused.metadata)).toEqual(['oauth_error'])
      for (const impossible of IMPOSSIBLE_TOKENS) {
        expect(await refusalOf(exchange(impossible))).toMatchObject({ reason: 'OAUTH_INVALID_GRANT', violations: [] })
      }
    })

    it('§3.1 assertions are refused while the keys of their issuer cannot be fetched', async () => {
      const assertion = await signed(issuers.ci, { ...job(), iss: SILENT })
      const refused = await refusalOf(exchange(assertion))
      expect(refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
      expect(refused.message).toContain('the keys of its issuer cannot be fetched')
      expect(refused.message).not.toContain('127.0.0.1')
      const { asked } = issuers.silent
      await Promise.all(Array.from({ length: 10 }, () => refusalOf(exchange(assertion))))
      expect(issuers.silent.asked).toBe(asked)
    })

    it('audits the issuer and the subject of the assertion', async () => {
      const { token } = await exchange(await signed(issuers.cluster, projected()))
      const events = await server.auditEvents({ clientId: 'orders', eventTypes: ['token.issued'] })
      expect(events.find(({ tokenId }) => tokenId === token?.tokenId)?.metadata).toMatchObject({
        grant_type: 'jwt_bearer',
        assertion_issuer: CLUSTER,
        assertion_subject: 'system:serviceaccount:shop:orders',
      })
    })
  },
  OPTIONS,
)

onEveryBackend('RFC 7523, without trusted issuers', (server) => {
  it('§2.1 refuses the grant if no issuer is trusted', async () => {
    const refused = await refusalOf(server.call(exchangeAssertion, { assertion: 'x' }))
    expect(refused).toMatchObject({ status: 'UNIMPLEMENTED', reason: 'OAUTH_UNSUPPORTED_GRANT_TYPE' })
  })
})

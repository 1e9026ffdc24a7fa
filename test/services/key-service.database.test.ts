import { describe, expect, it } from 'vitest'
import { openPrivateKey } from '../../src/crypto/signing-keys.ts'
import { signingKeyId } from '../../src/domain/ids.ts'
import { KeyService, SigningAlgorithm, SigningKeyState } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { JWT, jwtsOn, partOf } from '../setup/jwt.ts'
import { startServer } from '../setup/server.ts'

const { activateSigningKey, listSigningKeys, prepareSigningKey, retireSigningKey, revokeSigningKey } = KeyService.method
const { ES256, EDDSA, RS256 } = SigningAlgorithm
const { PREPARED, ACTIVE, RETIRED, REVOKED } = SigningKeyState
const CACHE_MS = 300_000
const MARGIN_MS = 60_000

onEveryBackend('the key service', (server, database) => {
  const grants = grantsOn(server)
  const jwts = jwtsOn(server)
  const renew = async () => {
    // The clock is put forward by hours: the admin's token ends.
    server.admin.token = (await grants.mint(server.admin)).accessToken
  }
  const prepare = async (algorithm: SigningAlgorithm = ES256) => {
    const { key } = await server.call(prepareSigningKey, { algorithm }, grants.bearer())
    if (key === undefined) throw new Error('the answer has no key')
    return key
  }
  const activate = async (keyId: string) => (await server.call(activateSigningKey, { keyId }, grants.bearer())).key
  const retire = async (keyId: string) => (await server.call(retireSigningKey, { keyId }, grants.bearer())).key
  const revoke = async (keyId: string, reason = '') =>
    (await server.call(revokeSigningKey, { keyId, reason }, grants.bearer())).key
  const inState = async (state: SigningKeyState) =>
    (await server.call(listSigningKeys, { state, pageSize: 1_000 }, grants.bearer())).keys
  const published = async () => (await jwts.keySet()).keys.map(({ kid }) => kid)
  const service = () => grants.serviceClient({ config: JWT })
  /** An active key, after any other. */
  const activeKey = async () => {
    const key = await prepare()
    server.clock.advance(CACHE_MS)
    await renew()
    await activate(key.keyId)
    return key
  }
  const eventsOf = async (keyId: string) => {
    const eventTypes = ['key.created', 'key.activated', 'key.retired', 'key.revoked']
    const events = await server.auditEvents({ eventTypes })
    return events
      .filter(({ metadata }) => metadata['key_id'] === keyId)
      .map(({ eventType }) => eventType)
      .toReversed()
  }

  it('requires the permission, except for the key set', async () => {
    const reader = await server.registerClient({ scopes: ['qscope:keys.read'] })
    const { accessToken } = await grants.mint(reader)
    expect((await server.call(listSigningKeys, {}, { bearer: accessToken })).keys).toBeDefined()
    const refused = await refusalOf(server.call(prepareSigningKey, {}, { bearer: accessToken }))
    expect(refused.metadata['required_scopes']).toBe('qscope:keys.write')
    expect((await refusalOf(server.call(listSigningKeys, {}))).reason).toBe('OAUTH_INVALID_TOKEN')
    const { maxAge } = await server.call(TokenService.method.getJsonWebKeySet, {})
    expect(maxAge?.seconds).toBe(300n)
  })

  it('takes a key from prepared to active and retired and out of the key set, and audits each step', async () => {
    await activeKey()
    const key = await prepare()
    expect(key).toMatchObject({ algorithm: ES256, state: PREPARED, preparedBy: server.admin.clientId })
    expect(await published()).toContain(key.keyId)
    const early = await refusalOf(activate(key.keyId))
    expect(early).toMatchObject({ status: 'ABORTED', reason: 'RESOURCE_CONFLICT' })
    expect(early.metadata['activate_after']).toBe(
      new Date(
        Number(key.earliestActivateTime?.seconds) * 1_000 + (key.earliestActivateTime?.nanos ?? 0) / 1e6,
      ).toISOString(),
    )
    expect(Number(early.details.retry?.retryDelay?.seconds)).toBeGreaterThan(290)
    server.clock.advance(CACHE_MS)
    await renew()
    expect((await activate(key.keyId))?.state).toBe(ACTIVE)
    expect((await activate(key.keyId))?.state).toBe(ACTIVE)
    expect((await inState(ACTIVE)).filter(({ algorithm }) => algorithm === ES256).map((each) => each.keyId)).toEqual([
      key.keyId,
    ])
    const client = await service()
    const { accessToken } = await grants.mint(client)
    expect(partOf(accessToken, 0)['kid']).toBe(key.keyId)

    const retired = await retire(key.keyId)
    expect(retired).toEqual(await retire(key.keyId))
    expect(retired?.state).toBe(RETIRED)
    const lasts = Number(retired?.lastTokenExpireTime?.seconds) - Number(retired?.retireTime?.seconds)
    expect(lasts).toBe(3_600 + MARGIN_MS / 1_000)
    expect(await grants.isActive(accessToken)).toBe(true)
    expect(await published()).toContain(key.keyId)
    expect((await refusalOf(activate(key.keyId))).metadata['state']).toBe('retired')
    server.clock.advance(3_600_000 + MARGIN_MS)
    await renew()
    expect(await published()).not.toContain(key.keyId)
    expect(await eventsOf(key.keyId)).toEqual(['key.created', 'key.activated', 'key.retired'])
  })

  it('keeps a retired key for as long as the longest of its tokens may live', async () => {
    const key = await activeKey()
    const config = { ...JWT, accessTokenTtl: { seconds: 7_200n } }
    const long = await grants.serviceClient({ config })
    await Promise.all([...Array(20).keys()].map(async (n) => grants.mint(n % 2 === 0 ? long : await service())))
    const { accessToken } = await grants.mint(long)
    const next = await prepare()
    server.clock.advance(CACHE_MS)
    await activate(next.keyId)
    server.clock.advance(7_200_000 - CACHE_MS - MARGIN_MS)
    await renew()
    expect(await published()).toContain(key.keyId)
    expect(await jwts.verifyOffline(accessToken, server.issuer)).toBeDefined()
    server.clock.advance(CACHE_MS + 2 * MARGIN_MS)
    await renew()
    expect(await published()).not.toContain(key.keyId)
  })

  it('revokes a key in any state, with all its tokens, permanently', async () => {
    const key = await activeKey()
    const { accessToken } = await grants.mint(await service())
    expect((await revoke(key.keyId, 'its disk was lost'))?.state).toBe(REVOKED)
    expect((await revoke(key.keyId))?.state).toBe(REVOKED)
    expect(await grants.isActive(accessToken)).toBe(false)
    expect((await refusalOf(retire(key.keyId))).metadata['state']).toBe('revoked')
    expect((await refusalOf(activate(key.keyId))).metadata['state']).toBe('revoked')
    const [event] = await server.auditEvents({ eventTypes: ['key.revoked'] })
    expect(event?.metadata).toEqual({ key_id: key.keyId, algorithm: 'ES256', reason: 'its disk was lost' })
    const prepared = await prepare(RS256)
    await revoke(prepared.keyId)
    expect(await published()).not.toContain(prepared.keyId)
    const retired = await prepare(RS256)
    await retire(retired.keyId)
    expect((await revoke(retired.keyId))?.state).toBe(REVOKED)
  })

  it('continues with the prepared key after the active one was revoked, without a wait', async () => {
    const key = await activeKey()
    const next = await prepare()
    await revoke(key.keyId)
    const { accessToken } = await grants.mint(await service())
    expect(partOf(accessToken, 0)['kid']).toBe(next.keyId)
  })

  it('limits prepared keys for 50 concurrent calls, and states the remedy', async () => {
    await activeKey()
    await Promise.all((await inState(PREPARED)).map(({ keyId }) => retire(keyId)))
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => prepare()))
    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    expect(await inState(PREPARED)).toHaveLength(50 - refusals.length)
    expect(50 - refusals.length).toBeLessThanOrEqual(4)
    const refused = await refusalOf(
      (async () => {
        for (;;) await prepare()
      })(),
    )
    expect(await inState(PREPARED)).toHaveLength(4)
    expect(refused).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED' })
    expect(refused.details.quota?.violations).toMatchObject([
      { subject: 'signing_keys:ES256', description: expect.stringContaining('retire') },
    ])
    const [first] = await inState(PREPARED)
    const before = await published()
    await retire(first?.keyId ?? '')
    expect(await published()).toHaveLength(before.length - 1)
    const last = await prepare()
    await Promise.all((await inState(PREPARED)).map(({ keyId }) => retire(keyId)))
    expect(await published()).not.toContain(last.keyId)
  })

  it('has one active key after 50 concurrent activations', async () => {
    await activeKey()
    const keys = await Promise.all(Array.from({ length: 4 }, () => prepare()))
    server.clock.advance(CACHE_MS)
    await renew()
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => activate(keys[n % keys.length]?.keyId ?? '')),
    )
    expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect((await inState(ACTIVE)).filter(({ algorithm }) => algorithm === ES256)).toHaveLength(1)
    await Promise.all((await inState(PREPARED)).map(({ keyId }) => retire(keyId)))
  })

  it('creates the first key once for 50 concurrent calls', async () => {
    for (const key of [...(await inState(ACTIVE)), ...(await inState(PREPARED))]) await retire(key.keyId)
    const client = await service()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => grants.mint(client)))
    const active = await inState(ACTIVE)
    expect(active).toHaveLength(1)
    expect(new Set(tokens.map(({ accessToken }) => partOf(accessToken, 0)['kid']))).toEqual(new Set([active[0]?.keyId]))
    expect(await eventsOf(active[0]?.keyId ?? '')).toEqual(['key.created', 'key.activated'])
    expect(active[0]?.preparedBy).toBe(client.clientId)
  })

  it('is seen by another instance from the next call on', async () => {
    const other = await startServer(database.url, server.keyring, server.first)
    try {
      const client = await service()
      const mintThere = async () =>
        (await other.call(TokenService.method.mintToken, { client: client.client })).token?.accessToken ?? ''
      const isActiveThere = async (token: string) =>
        (await other.call(TokenService.method.introspectToken, { client: client.client, token })).active
      const before = await grants.mint(client)
      const shared = await mintThere()
      expect(partOf(shared, 0)['kid']).toBe(partOf(before.accessToken, 0)['kid'])
      const key = String(partOf(shared, 0)['kid'])
      const next = await prepare()
      server.clock.advance(CACHE_MS)
      await activate(next.keyId)
      expect(partOf(await mintThere(), 0)['kid']).toBe(next.keyId)
      expect(await isActiveThere(shared)).toBe(true)
      await revoke(key)
      expect(await isActiveThere(shared)).toBe(false)
      await revoke(next.keyId)
      expect(partOf(await mintThere(), 0)['kid']).not.toBe(next.keyId)
    } finally {
      await other.stop()
    }
  })

  it('lists pages, the last prepared first, and refuses unknown values', async () => {
    await prepare(EDDSA)
    const first = await server.call(listSigningKeys, { pageSize: 2 }, grants.bearer())
    const { keys } = await server.call(listSigningKeys, { pageSize: 1, pageToken: '' }, grants.bearer())
    expect(keys[0]).toEqual(first.keys[0])
    const pageToken = first.nextPageToken
    const second = await server.call(listSigningKeys, { pageSize: 2, pageToken }, grants.bearer())
    const ids = [...first.keys, ...second.keys].map(({ keyId }) => keyId)
    expect(ids).toEqual(ids.toSorted().toReversed())
    const wrong = server.call(listSigningKeys, { pageToken, state: REVOKED }, grants.bearer())
    expect((await refusalOf(wrong)).violations).toEqual(['page_token'])
    const keyId = '0190aaaa-0000-7000-8000-000000000001'
    expect((await refusalOf(activate(keyId))).reason).toBe('RESOURCE_NOT_FOUND')
    expect((await refusalOf(activate('x'))).violations).toEqual(['key_id'])
  })

  describe('a thief of the database gets', () => {
    it('nothing that signs: private keys are ciphertext, each bound to its row', async () => {
      const key = await activeKey()
      const other = await prepare()
      const stored = await jwts.keyOf((await grants.mint(await service())).accessToken)
      if (stored.privateKey === null) throw new Error('the active key signs')
      const plain = openPrivateKey(server.keyring, stored, stored.privateKey)
      expect(plain.asymmetricKeyType).toBe('ec')
      const secret = Buffer.from(String(plain.export({ format: 'jwk' })['d']), 'base64url')
      const rows = await database.query(`select * from oauth_signing_keys where key_id = '${key.keyId}'`)
      const cells = Object.values(rows[0] ?? {}).map((cell) =>
        cell instanceof Uint8Array ? Buffer.from(cell) : Buffer.from(String(cell)),
      )
      expect(cells.some((cell) => cell.includes(secret) || cell.includes(secret.toString('base64url')))).toBe(false)
      const { privateKey, ...identity } = stored
      const moved = [
        { ...identity, keyId: signingKeyId(other.keyId) },
        { ...identity, algorithm: 'EdDSA' as const },
        { ...identity, publicJwk: { ...stored.publicJwk, x: 'AA' } },
      ]
      for (const elsewhere of moved) expect(() => openPrivateKey(server.keyring, elsewhere, privateKey)).toThrow()
    })

    it('nothing of a key that no longer signs', async () => {
      const key = await activeKey()
      await retire(key.keyId)
      const [row] = await database.query(
        `select private_key, encryption_key_id from oauth_signing_keys where key_id = '${key.keyId}'`,
      )
      expect(row).toEqual({ private_key: null, encryption_key_id: null })
    })
  })
})

onEveryBackend('signing with other algorithms', (idle, database) => {
  it.each([
    ['EdDSA', ['alg', 'crv', 'kid', 'kty', 'rvk', 'use', 'x']],
    ['RS256', ['alg', 'e', 'kid', 'kty', 'n', 'rvk', 'use']],
  ])('%s signs and verifies, here and offline', async (algorithm, members) => {
    const variables = { QSCOPE_SIGNING_ALGORITHM: algorithm }
    const server = await startServer(database.url, idle.keyring, idle.first, variables)
    try {
      const grants = grantsOn(server)
      const jwts = jwtsOn(server)
      const client = await grants.serviceClient({ config: JWT })
      const minted = await Promise.all(Array.from({ length: 20 }, () => grants.mint(client)))
      for (const { accessToken } of minted) {
        expect(partOf(accessToken, 0)['alg']).toBe(algorithm)
        expect(await grants.isActive(accessToken)).toBe(true)
        expect(await jwts.verifyOffline(accessToken, server.issuer)).toMatchObject({ client_id: client.clientId })
      }
      const own = (await jwts.keySet()).keys.filter(({ alg }) => alg === algorithm)
      expect(own.map((key) => Object.keys(key).toSorted())).toEqual([members])
    } finally {
      await server.stop()
    }
  })
})

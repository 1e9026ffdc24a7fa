import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { startServer } from '../setup/server.ts'

const { rotateOwnSecret, rotateClientSecret, revokeClientSecret, listClientSecrets, updateClient } =
  ClientService.method
const { mintToken } = TokenService.method
const HOUR = 3_600_000
const DAY = 24 * HOUR

onEveryBackend('RotateOwnSecret', (server, database) => {
  const bearer = () => ({ bearer: server.admin.token })
  const rotating = (config = { allowOwnRotation: true }) => server.registerClient({ scopes: ['orders'], config })
  const withSecret = (clientId: string, value: string) => ({
    clientId,
    method: { case: 'clientSecret' as const, value },
  })
  /** Rotates by a secret; answers how the client shows the new one. */
  async function rotate(clientId: string, secret: string, lifetimeMs?: number) {
    const lifetime = lifetimeMs === undefined ? {} : { lifetime: durationFromMs(lifetimeMs) }
    const answer = await server.call(rotateOwnSecret, { client: withSecret(clientId, secret), ...lifetime })
    return { ...answer, client: withSecret(clientId, answer.clientSecret) }
  }
  const secretsOf = async (clientId: string) => (await server.call(listClientSecrets, { clientId }, bearer())).secrets
  const isLetIn = async (client: ReturnType<typeof withSecret>) => {
    const refused = await server.call(mintToken, { client }).then(
      () => null,
      (error: Error) => error.message,
    )
    return refused === null
  }
  // The admin's token outlives no clock that is put forward.
  const aDayLater = () => server.clock.advance(DAY)

  it('creates a secret that works at once, and keeps the others', async () => {
    const { clientId, clientSecret, client } = await rotating()
    const before = await secretsOf(clientId)
    const rotated = await rotate(clientId, clientSecret)
    expect(rotated.clientSecret).toMatch(/^qcs_/)
    expect(rotated.expireTime).toBeUndefined()
    expect(await isLetIn(rotated.client)).toBe(true)
    expect(await isLetIn(client)).toBe(true)
    const [made, first] = await secretsOf(clientId)
    expect(made).toMatchObject({ secretId: rotated.secretId, madeBySecretId: before[0]?.secretId })
    expect(first).toMatchObject({ secretId: before[0]?.secretId, madeBySecretId: '' })
    expect([made?.expireTime, first?.expireTime]).toEqual([undefined, undefined])
    const events = await server.auditEvents({ clientId, eventTypes: ['client.secret_rotated'] })
    expect(events).toMatchObject([
      { actor: clientId, metadata: { secret_id: rotated.secretId, made_by: before[0]?.secretId } },
    ])
  })

  it('ends the new secret after the requested lifetime', async () => {
    const { clientId, clientSecret } = await rotating()
    const { secretId, expireTime } = await rotate(clientId, clientSecret, HOUR)
    const [made] = await secretsOf(clientId)
    expect(made).toMatchObject({ secretId, expireTime })
    expect(Number(expireTime?.seconds) - Number(made?.createTime?.seconds)).toBe(3_600)
  })

  describe('is refused', () => {
    const refusal = async (client: ReturnType<typeof withSecret>) =>
      await refusalOf(server.call(rotateOwnSecret, { client }))

    it('unless the client is registered for it', async () => {
      const { client } = await rotating({ allowOwnRotation: false })
      expect(await refusal(client)).toMatchObject({ reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
    })

    it('to a client with permissions, whatever else it is registered for', async () => {
      const { clientId, client } = await rotating()
      const change = {
        client: { clientId, scopes: ['orders', 'qscope:audit.read'] },
        updateMask: { paths: ['scopes'] },
      }
      await server.call(updateClient, change, bearer())
      expect(await refusal(client)).toMatchObject({ reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
    })

    it('to a wrong secret, no secret, and a bearer token', async () => {
      const { clientId } = await rotating()
      expect(await refusal(withSecret(clientId, server.unknownToken()))).toMatchObject({
        reason: 'OAUTH_INVALID_CLIENT',
      })
      expect(await refusalOf(server.call(rotateOwnSecret, {}, bearer()))).toMatchObject({
        reason: 'OAUTH_INVALID_CLIENT',
      })
    })

    it('a second time within a day, by any of the secrets', async () => {
      const { clientId, clientSecret, client } = await rotating()
      const rotated = await rotate(clientId, clientSecret)
      for (const each of [client, rotated.client]) {
        const refused = await refusal(each)
        expect(refused).toMatchObject({ reason: 'LIMIT_EXCEEDED' })
        expect(Number(refused.details.retry?.retryDelay?.seconds)).toBeGreaterThan(86_000)
      }
      expect(await secretsOf(clientId)).toHaveLength(2)
    })

    it("to a secret older than an administrator's latest one, and to its descendants", async () => {
      const { clientId, clientSecret, client } = await rotating()
      const rotated = await rotate(clientId, clientSecret)
      const overlap = durationFromMs(20 * DAY)
      const drawn = await server.call(rotateClientSecret, { clientId, overlap }, bearer())
      expect(await refusal(client)).toMatchObject({ reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
      expect(await refusal(rotated.client)).toMatchObject({ reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
      expect(await refusal(withSecret(clientId, drawn.clientSecret))).toMatchObject({ reason: 'LIMIT_EXCEEDED' })
    })

    it('a lifetime of less than an hour', async () => {
      const { client } = await rotating()
      const lifetime = durationFromMs(HOUR - 1_000)
      expect(await refusalOf(server.call(rotateOwnSecret, { client, lifetime }))).toMatchObject({
        reason: 'OAUTH_INVALID_REQUEST',
      })
    })
  })

  it('can be registered only for clients with secrets', async () => {
    const jwks = JSON.stringify({ keys: [] })
    const refused = await refusalOf(
      server.registerClient({ authenticationMethod: 2, jwks, config: { allowOwnRotation: true } }),
    )
    expect(refused.violations).toContain('config.allow_own_rotation')
  })

  it('is revoked together with its ancestors', async () => {
    const { clientId, clientSecret, client } = await rotating()
    const [first] = await secretsOf(clientId)
    const rotated = await rotate(clientId, clientSecret)
    await server.call(revokeClientSecret, { clientId, secretId: first?.secretId ?? '' }, bearer())
    expect(await isLetIn(client)).toBe(false)
    expect(await isLetIn(rotated.client)).toBe(false)
    expect(await secretsOf(clientId)).toEqual([])
    const revoked = await server.auditEvents({ clientId, eventTypes: ['client.secret_revoked'] })
    expect(new Set(revoked.map(({ metadata }) => metadata['secret_id']))).toEqual(
      new Set([first?.secretId, rotated.secretId]),
    )
  })

  it('is invalid after an older server version revoked only its ancestor', async () => {
    const { clientId, clientSecret, client } = await rotating()
    const [maker] = await secretsOf(clientId)
    const made = await rotate(clientId, clientSecret)
    expect(await isLetIn(made.client)).toBe(true)
    // All that such a server does to the secrets of a client; it never looks at who made them.
    await database.query(`delete from oauth_client_secrets where secret_id = '${maker?.secretId}'`)
    expect(await isLetIn(client)).toBe(false)
    expect(await isLetIn(made.client)).toBe(false)
    expect(await secretsOf(clientId)).toEqual([])
    // Another one is drawn as ever.
    const { clientSecret: drawn } = await server.call(rotateClientSecret, { clientId }, bearer())
    expect(await isLetIn(withSecret(clientId, drawn))).toBe(true)
  })

  describe('whose maker a server of an older version revoked alone', () => {
    const stored = async (clientId: string) =>
      (await database.query(`select secret_id from oauth_client_secrets where client_id = '${clientId}'`)).map((row) =>
        String(row['secret_id']),
      )
    /** A client with an administrator's secret, and a secret whose maker is gone. */
    async function withOrphan() {
      const { clientId, clientSecret } = await rotating()
      const [maker] = await secretsOf(clientId)
      const orphan = await rotate(clientId, clientSecret)
      const current = await server.call(rotateClientSecret, { clientId, overlap: durationFromMs(HOUR) }, bearer())
      await database.query(`delete from oauth_client_secrets where secret_id = '${maker?.secretId}'`)
      expect(await stored(clientId)).toContain(orphan.secretId)
      return { clientId, orphan: orphan.secretId, maker: maker?.secretId ?? '', current }
    }

    it('can be revoked by its id, once', async () => {
      const { clientId, orphan, maker, current } = await withOrphan()
      await server.call(revokeClientSecret, { clientId, secretId: orphan }, bearer())
      expect(await stored(clientId)).toEqual([current.secretId])
      expect(await server.auditEvents({ clientId, eventTypes: ['client.secret_revoked'] })).toMatchObject([
        { metadata: { secret_id: orphan, made_by: maker } },
      ])
      expect(await refusalOf(server.call(revokeClientSecret, { clientId, secretId: orphan }, bearer()))).toMatchObject({
        reason: 'RESOURCE_NOT_FOUND',
      })
    })

    it('goes with the next secret that is revoked', async () => {
      const { clientId, current } = await withOrphan()
      await server.call(revokeClientSecret, { clientId, secretId: current.secretId }, bearer())
      expect(await stored(clientId)).toEqual([])
    })

    it('goes with the next rotation, so that it keeps no pepper in use', async () => {
      const { clientId, orphan, current } = await withOrphan()
      const { secretId } = await server.call(rotateClientSecret, { clientId }, bearer())
      expect((await stored(clientId)).toSorted()).toEqual([current.secretId, secretId].toSorted())
      expect(
        (await server.auditEvents({ clientId, eventTypes: ['client.secret_revoked'] })).map(
          ({ metadata }) => metadata['secret_id'],
        ),
      ).toEqual([orphan])
    })

    it('goes with the next rotation of the client', async () => {
      const { clientId, current } = await withOrphan()
      const { secretId } = await rotate(clientId, current.clientSecret)
      expect((await stored(clientId)).toSorted()).toEqual([current.secretId, secretId].toSorted())
    })
  })

  it('is revoked alone if it has no descendants', async () => {
    const { clientId, clientSecret, client } = await rotating()
    const rotated = await rotate(clientId, clientSecret)
    await server.call(revokeClientSecret, { clientId, secretId: rotated.secretId }, bearer())
    expect(await isLetIn(client)).toBe(true)
    expect(await isLetIn(rotated.client)).toBe(false)
  })

  it('succeeds once for 20 concurrent calls on two instances', async () => {
    const other = await startServer(database.url, server.keyring, server.first)
    try {
      const { clientId, client } = await rotating()
      const attempts = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? server : other).call(rotateOwnSecret, { client }).then(
          () => 'rotated',
          (error: { readonly reason?: string }) => error.reason,
        ),
      )
      const ended = await Promise.all(attempts)
      expect(ended.filter((each) => each === 'rotated')).toHaveLength(1)
      expect(new Set(ended)).toEqual(new Set(['rotated', 'LIMIT_EXCEEDED']))
      expect(await secretsOf(clientId)).toHaveLength(2)
    } finally {
      await other.stop()
    }
  })

  it('leaves no valid secret if its ancestor is revoked concurrently', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { clientId, client } = await rotating()
      const [first] = await secretsOf(clientId)
      const rotation = server.call(rotateOwnSecret, { client }).catch(() => null)
      await Promise.all([
        rotation,
        server.call(revokeClientSecret, { clientId, secretId: first?.secretId ?? '' }, bearer()),
      ])
      expect(await secretsOf(clientId)).toEqual([])
    }
  })

  // Puts the clock forward for good, so it comes last.
  it('works every day: a place stays free, and old secrets are removed', async () => {
    const { clientId, clientSecret } = await rotating()
    const token = async () => {
      const minted = await server.call(mintToken, { client: server.admin.client })
      return { bearer: minted.token?.accessToken ?? '' }
    }
    let secret = clientSecret
    for (let day = 0; day < 8; day += 1) {
      secret = (await rotate(clientId, secret)).clientSecret
      aDayLater()
    }
    const full = await refusalOf(server.call(rotateOwnSecret, { client: withSecret(clientId, secret) }))
    expect(full).toMatchObject({ reason: 'LIMIT_EXCEEDED' })
    const overlap = durationFromMs(HOUR)
    const drawn = await server.call(rotateClientSecret, { clientId, overlap }, await token())
    aDayLater()

    secret = drawn.clientSecret
    for (let day = 0; day < 40; day += 1) {
      secret = (await rotate(clientId, secret, 2 * DAY)).clientSecret
      aDayLater()
    }
    const { secrets } = await server.call(listClientSecrets, { clientId }, await token())
    const own = secrets.filter(({ madeBySecretId }) => madeBySecretId !== '')
    expect(own.length).toBeLessThan(35)
    expect(await isLetIn(withSecret(clientId, secret))).toBe(true)
    await server.call(revokeClientSecret, { clientId, secretId: drawn.secretId }, await token())
    expect(await isLetIn(withSecret(clientId, secret))).toBe(false)
  })
})

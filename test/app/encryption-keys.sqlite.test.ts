import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { withActive, withNewKey, withoutKey } from '../../src/crypto/keyring-rotation.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { JWT, jwtsOn } from '../setup/jwt.ts'
import { startServer, type TestServer } from '../setup/server.ts'

/** The keys of the keyring under which signing keys lie in the database. */
describe('encryption keys', () => {
  const old = drawKeyMaterial()
  const added = withNewKey(old, 'encryption')
  const changed = withActive(added.material, added.id)
  const without = withoutKey(changed, old.encryption.active)
  let database: FreshDatabase
  let first: TestServer

  beforeAll(async () => {
    database = await sqliteFiles.createMigrated()
    first = await startServer(database.url, new Keyring(old))
  })
  afterAll(async () => {
    await first.stop()
    await database.drop()
  })

  async function withServer(material: typeof old, work: (server: TestServer) => Promise<void>) {
    const server = await startServer(database.url, new Keyring(material), first.first)
    try {
      await work(server)
    } finally {
      await server.stop()
    }
  }

  test('rotate: keys under the old one still sign, new keys use the new one, and then the old one can be removed', async () => {
    const before = await grantsOn(first).mint(await grantsOn(first).serviceClient({ config: JWT }))
    await withServer(changed, async (server) => {
      await server.app.checkKeys()
      const grants = grantsOn(server)
      const client = await grants.serviceClient({ config: JWT })
      const former = await jwtsOn(server).keyOf((await grants.mint(client)).accessToken)
      expect(former.privateKey?.keyId).toBe(old.encryption.active)
      const { key } = await server.call(KeyService.method.prepareSigningKey, {}, grants.bearer())
      server.clock.advance(300_000)
      await server.call(KeyService.method.activateSigningKey, { keyId: key?.keyId ?? '' }, grants.bearer())
      const next = await jwtsOn(server).keyOf((await grants.mint(client)).accessToken)
      expect(next.privateKey?.keyId).toBe(added.id)
    })
    await withServer(without, async (server) => {
      await server.app.checkKeys()
      expect(await grantsOn(server).isActive(before.accessToken)).toBe(true)
    })
  })

  test('that the database needs and the keyring lacks prevent the start, and are named', async () => {
    await withServer(old, async (server) => {
      await expect(server.app.checkKeys()).rejects.toThrow(`the encryption key ${added.id}, which the keyring`)
    })
  })
})

import { expect, it } from 'vitest'
import { keyReferences } from '../../src/app/keyring.ts'
import { drawKeyMaterial, KEY_PURPOSES, Keyring } from '../../src/crypto/keyring.ts'
import { withActive, withNewKey, withoutKey } from '../../src/crypto/keyring-rotation.ts'
import { AuditBreakKind, AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceAuthorizationState, DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer } from '../setup/server.ts'
import { quiet } from '../stores/given.ts'

const { verifyAuditLog, exportAuditHead } = AuditService.method
const { mintToken } = TokenService.method

onEveryBackend('a keyring that rotates', (server, database) => {
  it('keeps old secrets, user codes and audit rows valid, on instances with the old and the new file', async () => {
    const bearer = { bearer: server.admin.token }
    const registered = await server.registerClient({
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.DEVICE_CODE],
      scopes: ['a'],
    })
    const device = await grantsOn(server).startDevice(registered)
    const head = (await server.call(exportAuditHead, {}, bearer)).head

    // Prepared: the running instance has the new keys, and makes with the old ones.
    const before = server.app.keyring
    const old = Object.fromEntries(KEY_PURPOSES.map((purpose) => [purpose, before.active(purpose)]))
    let activated = drawKeyMaterial()
    before.change((material) => {
      let all = material
      const ids = KEY_PURPOSES.map((purpose) => {
        const prepared = withNewKey(all, purpose)
        all = prepared.material
        return prepared.id
      })
      activated = ids.reduce(withActive, all)
      return all
    })
    for (const purpose of KEY_PURPOSES) expect(before.active(purpose)).toBe(old[purpose])

    // Activated on another instance.
    const after = new Keyring(activated)
    const other = await startServer(database.url, after, server.first)
    try {
      const client = registered.client
      await other.call(mintToken, { client })
      const rotated = await other.call(
        ClientService.method.rotateClientSecret,
        { clientId: registered.clientId },
        bearer,
      )
      const renewed = { ...client, method: { case: 'clientSecret' as const, value: rotated.clientSecret } }
      for (const instance of [server, other]) await instance.call(mintToken, { client: renewed })

      const pending = await other.call(
        DeviceService.method.getDeviceAuthorization,
        { userCode: device.userCode },
        bearer,
      )
      expect(pending.deviceAuthorization?.state).toBe(DeviceAuthorizationState.PENDING)
      const newer = await grantsOn(other).startDevice({ ...registered, client: renewed })
      await server.call(DeviceService.method.denyDeviceAuthorization, { userCode: newer.userCode }, bearer)

      const references = await keyReferences(other.app.backend, quiet)
      expect(references.pepper).toEqual(expect.arrayContaining([old['pepper'], after.active('pepper')]))
      expect(references.audit).toEqual(expect.arrayContaining([old['audit'], after.active('audit')]))
      for (const instance of [server, other]) {
        expect(await instance.call(verifyAuditLog, { exportedHead: head }, bearer)).toMatchObject({ valid: true })
      }
    } finally {
      await other.stop()
    }
  })

  it('reports a removed audit key', async () => {
    const lost = server.app.keyring.active('audit')
    let without = drawKeyMaterial()
    server.app.keyring.change((material) => {
      const { id, material: more } = withNewKey(material, 'audit')
      without = withoutKey(withActive(more, id), lost)
      return material
    })
    const other = await startServer(database.url, new Keyring(without), server.first)
    try {
      const { valid, breaks } = await other.call(verifyAuditLog, {}, { bearer: server.admin.token })
      expect(valid).toBe(false)
      expect(new Set(breaks.map(({ kind }) => kind))).toEqual(new Set([AuditBreakKind.KEY_UNKNOWN]))
      expect(breaks[0]?.detail).toContain(lost)
    } finally {
      await other.stop()
    }
  })
})

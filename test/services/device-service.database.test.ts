import { expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService, DeviceAuthorizationState as State } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'

const { approveDeviceAuthorization, redeemDeviceCode } = DeviceService.method

onEveryBackend('DeviceService', (server) => {
  const grants = grantsOn(server)
  const bearer = () => ({ bearer: server.admin.token })
  const confidential = () =>
    server.registerClient({
      grantTypes: [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN],
      scopes: ['orders.read', 'orders.write'],
    })
  const user = () => ({ id: { case: 'externalId' as const, value: server.unique('user-') } })
  const approve = (userCode: string, more = {}) =>
    server.call(approveDeviceAuthorization, { userCode, user: user(), ...more }, bearer())

  it('issues nothing to a watcher after its secret was rotated', async () => {
    const client = await confidential()
    const device = await grants.startDevice(client)
    const watch = grants.watchDevice(client, device)
    await expect.poll(() => watch.items.length).toBe(1)
    await server.call(ClientService.method.rotateClientSecret, { clientId: client.clientId }, bearer())
    await approve(device.userCode)
    await expect(watch.ended).rejects.toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
    expect(watch.items.map(({ state }) => state)).toEqual([State.PENDING])
  })

  it('issues to a watcher what its client may have at the decision', async () => {
    const client = await confidential()
    const device = await grants.startDevice(client)
    const watch = grants.watchDevice(client, device)
    await expect.poll(() => watch.items.length).toBe(1)
    const { clientId } = client
    const narrowed = { client: { clientId, scopes: ['orders.read'] }, updateMask: { paths: ['scopes'] } }
    await server.call(ClientService.method.updateClient, narrowed, bearer())
    await approve(device.userCode)
    await watch.ended
    expect(watch.items.at(-1)?.token?.scopes).toEqual(['orders.read'])
  })

  it('limits the watches of one device code', async () => {
    const client = await confidential()
    const device = await grants.startDevice(client)
    const watches = Array.from({ length: 4 }, () => grants.watchDevice(client, device))
    await expect.poll(() => watches.every(({ items }) => items.length === 1)).toBe(true)
    await expect(grants.watchDevice(client, device).ended).rejects.toMatchObject({ reason: 'LIMIT_EXCEEDED' })
    await server.call(DeviceService.method.denyDeviceAuthorization, { userCode: device.userCode }, bearer())
    await Promise.all(watches.map(({ ended }) => ended))
    const again = grants.watchDevice(client, device)
    await again.ended
    expect(again.items.map(({ state }) => state)).toEqual([State.DENIED])
  })

  it('treats another user’s approval, or one with other scopes, as a different decision', async () => {
    const client = await confidential()
    const { userCode } = await grants.startDevice(client)
    const alice = user()
    await approve(userCode, { user: alice, scopes: ['orders.read'] })
    await approve(userCode, { user: alice, scopes: ['orders.read'] })
    const conflict = { status: 'ABORTED', reason: 'RESOURCE_CONFLICT' }
    expect(await refusalOf(approve(userCode, { scopes: ['orders.read'] }))).toMatchObject(conflict)
    expect(await refusalOf(approve(userCode, { user: alice }))).toMatchObject(conflict)
  })

  it('answers a flood of polls without a write for each', async () => {
    const client = await confidential()
    const device = await grants.startDevice(client)
    const { deviceCode } = device
    const polls = await Promise.all(
      Array.from({ length: 300 }, () =>
        refusalOf(server.call(redeemDeviceCode, { client: client.client, deviceCode })),
      ),
    )
    const reasons = new Set(polls.map(({ reason }) => reason))
    expect(reasons).toEqual(new Set(['OAUTH_DEVICE_AUTHORIZATION_PENDING', 'OAUTH_DEVICE_SLOW_DOWN']))
    await approve(device.userCode)
    const { token } = await server.call(redeemDeviceCode, { client: client.client, deviceCode })
    expect(token?.accessToken).toMatch(/^qat_/)
  })
})

import { describe, expect, it, onTestFinished } from 'vitest'
import { authorizeDevice, type DevicePrompt } from '../../../packages/client/src/device-authorization.ts'
import {
  DeviceAuthorizationState,
  DeviceService,
} from '../../../packages/client/src/gen/qscope/v1/device_service_pb.ts'
import type { QScopeError } from '../../../packages/client/src/qscope-error.ts'
import { userSession } from '../../../packages/client/src/tokens/user-session.ts'
import { grantsOn } from '../../setup/grants.ts'
import { CHANNELS, givenServer } from './given.ts'
import { startNetworkProxy } from './network-proxy.ts'

const { watchDeviceAuthorization } = DeviceService.method
const isWatch = (method: unknown) => String(method).endsWith('WatchDeviceAuthorization')
const server = givenServer()

describe.each(CHANNELS)('a device over $transport', ({ open }) => {
  const given = async (config: object = {}) => {
    const grants = grantsOn(server())
    const { clientId } = await grants.deviceClient({ config })
    const proxy = await startNetworkProxy(server().address)
    const channel = open(proxy.address)
    onTestFinished(() => channel.close())
    const fallbacks: QScopeError[] = []
    const prompted = Promise.withResolvers<DevicePrompt>()
    const start = (signal?: AbortSignal) =>
      authorizeDevice(channel, {
        client: { clientId },
        scopes: ['orders.read'],
        prompt: prompted.resolve,
        onFallback: (error) => fallbacks.push(error),
        signal,
      })
    return { grants, proxy, fallbacks, prompted: prompted.promise, start }
  }

  it('shows a user code, and returns tokens as soon as the user consents', async () => {
    const { grants, prompted, start, fallbacks } = await given()
    const outcome = start()
    const prompt = await prompted
    expect(prompt.userCode).toMatch(/^[B-Z]{4}-[B-Z]{4}$/)
    expect(prompt.verificationUriComplete).toContain(prompt.userCode)
    await grants.approveDevice(prompt)
    const ended = await outcome
    if (ended.state !== 'approved') throw new Error(ended.state)
    expect(ended.accessToken.scopes).toEqual(['orders.read'])
    expect(ended.refreshToken).toMatch(/^qrt_/)
    expect(await grants.isActive(ended.accessToken.value)).toBe(true)
    expect(fallbacks).toEqual([])
  })

  it('reports that the user refused', async () => {
    const { grants, prompted, start } = await given()
    const outcome = start()
    await grants.denyDevice(await prompted)
    expect(await outcome).toEqual({ state: 'denied' })
  })

  it('reports that the device code expired', async () => {
    const { start } = await given({ deviceCodeTtl: { seconds: 1n } })
    expect(await start()).toEqual({ state: 'expired' })
  })

  it('polls after the stream breaks, and retries while the network is down', async () => {
    const { grants, proxy, prompted, start, fallbacks } = await given({ devicePollInterval: { seconds: 1n } })
    const outcome = start()
    const prompt = await prompted
    proxy.down()
    await expect.poll(() => fallbacks.length).toBe(1)
    await proxy.up()
    await grants.approveDevice(prompt)
    expect((await outcome).state).toBe('approved')
  })

  it('narrows the first access token to some of the audiences, but not the grant', async () => {
    const grants = grantsOn(server())
    const [films, series] = [server().unique('https://films.internal/'), server().unique('https://series.internal/')]
    const audiences = [films, series]
    for (const audience of audiences) await server().registerClient({ resourceAudiences: [audience] })
    const { clientId } = await grants.deviceClient({ audiences, config: { devicePollInterval: { seconds: 1n } } })
    const channel = open(server().address)
    onTestFinished(() => channel.close())
    const client = { clientId }
    const outcome = await authorizeDevice(channel, {
      client,
      audiences,
      accessTokenAudiences: [series],
      prompt: (prompt) => grants.approveDevice(prompt),
    })
    if (outcome.state !== 'approved') throw new Error(outcome.state)
    expect(outcome.accessToken.audiences).toEqual([series])
    const session = userSession(channel, { client, refreshToken: outcome.refreshToken ?? '', save: () => undefined })
    expect((await session.token()).audiences).toEqual(audiences)
  })

  it('cancels the watch when its reader stops', async () => {
    const grants = grantsOn(server())
    const { client } = await grants.deviceClient()
    const { deviceCode } = await grants.startDevice({ client })
    const channel = open(server().address)
    onTestFinished(() => channel.close())
    const start = server().lines.length
    for await (const { state } of channel.serverStream(watchDeviceAuthorization, { client, deviceCode })) {
      expect(state).toBe(DeviceAuthorizationState.PENDING)
      break
    }
    const ended = () =>
      server()
        .lines.slice(start)
        .filter(({ method, code }) => isWatch(method) && code === 'CANCELLED')
    await expect.poll(() => ended().length).toBe(1)
  })

  it('stops when its signal is aborted', async () => {
    const { prompted, start } = await given()
    const gone = new AbortController()
    const outcome = start(gone.signal)
    await prompted
    gone.abort(new Error('switched off'))
    await expect(outcome).rejects.toThrow('switched off')
  })
})

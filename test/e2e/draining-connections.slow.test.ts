import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect, refusalOf } from '../setup/client.ts'
import { freePort } from '../setup/free-port.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { redemptionLoad } from './every-redemption.ts'
import { restartableServer } from './restartable-server.ts'

const MINUTES_MS = 300_000
/** The lowest settings, so that pings are due while a connection drains. */
const LEAST = { QSCOPE_MAX_CONNECTION_AGE: '10s', QSCOPE_KEEPALIVE_TIME: '10s', QSCOPE_SHUTDOWN_GRACE: '1m' }
const AGE_MS = 10_000
const SETTINGS = [
  ['the shortest time', LEAST],
  ['the longest time', { ...LEAST, QSCOPE_KEEPALIVE_TIME: '1d' }],
] as const

/** Makes every write wait until the returned function is called. */
function holdWriteLock(url: string): () => void {
  const database = new Sqlite(url.replace(/^sqlite:/, ''), { timeout: 30_000 })
  onTestFinished(() => void database.close())
  database.exec('begin immediate')
  return () => database.exec('rollback')
}

/** The same exchange as `grants.exchangeCode`, over HTTP. */
async function exchangeOverHttp(
  url: string,
  { clientId, clientSecret }: { readonly clientId: string; readonly clientSecret: string },
  {
    code,
    verifier,
    redirectUri,
  }: { readonly code: string; readonly verifier: string | undefined; readonly redirectUri: string },
) {
  const response = await fetch(`${url}/${TokenService.typeName}/ExchangeAuthorizationCode`, {
    method: 'POST',
    // Without a deadline, it would be refused after a long wait for the lock.
    headers: { 'content-type': 'application/json', 'connect-timeout-ms': '60000' },
    body: JSON.stringify({ client: { clientId, clientSecret }, code, codeVerifier: verifier, redirectUri }),
  })
  return { status: response.status, text: await response.text() }
}

async function started(variables: Readonly<Record<string, string>>) {
  const http = `127.0.0.1:${await freePort()}`
  const server = await restartableServer(sqliteFiles, { ...variables, QSCOPE_HTTP_LISTEN: http })
  const running = await server.start()
  const { client } = await redemptionLoad(server)
  return { server, running, client, url: `http://${http}` }
}

it.each(SETTINGS)(
  'with %s between pings, an old connection answers the waiting exchange of a code, and ends its watch with a status',
  async (_what, variables) => {
    const { server, client } = await started(variables)
    const { createCode, startDevice } = grantsOn(server)
    const [code, device] = [await createCode(client), await startDevice(client)]
    const connection = connect(server.address, { ownSocket: true })
    onTestFinished(() => connection.close())
    const on = grantsOn({ ...server, call: connection.call, stream: connection.stream })
    const watch = on.watchDevice(client, device)
    const watched = refusalOf(watch.ended)
    await expect.poll(() => watch.items.length, { timeout: MINUTES_MS }).toBe(1)
    await sleep(AGE_MS * 0.7)
    const release = holdWriteLock(server.database.url)
    const exchanged = on.exchangeCode(client, code)
    await sleep(AGE_MS * 1.5)
    release()
    expect((await exchanged).accessToken).toMatch(/^qat_/)
    expect((await watched).reason).toBe('OAUTH_TEMPORARILY_UNAVAILABLE')
  },
  MINUTES_MS,
)

it.each(SETTINGS)(
  'with %s between pings, a server asked to stop answers waiting exchanges of codes on both ports',
  async (_what, variables) => {
    const { server, running, client, url } = await started(variables)
    const { createCode, exchangeCode, startDevice, watchDevice } = grantsOn(server)
    const [one, other, device] = [await createCode(client), await createCode(client), await startDevice(client)]
    const watch = watchDevice(client, device)
    const watched = refusalOf(watch.ended)
    await expect.poll(() => watch.items.length, { timeout: MINUTES_MS }).toBe(1)
    const release = holdWriteLock(server.database.url)
    const exchanged = exchangeCode(client, one)
    const overHttp = exchangeOverHttp(url, client, other)
    await sleep(1_000)
    running.child.kill('SIGTERM')
    expect((await watched).reason).toBe('OAUTH_TEMPORARILY_UNAVAILABLE')
    await sleep(AGE_MS * 1.2)
    release()
    expect((await exchanged).accessToken).toMatch(/^qat_/)
    expect(await overHttp).toMatchObject({ status: 200, text: expect.stringContaining('qat_') })
    expect(await running.ended).toEqual({ code: 0, signal: null })
  },
  MINUTES_MS,
)

it(
  'an exchange of a code that outlasts the grace period has an unknown outcome on both ports',
  async () => {
    const { server, running, client, url } = await started({ ...LEAST, QSCOPE_SHUTDOWN_GRACE: '1s' })
    const { createCode, exchangeCode } = grantsOn(server)
    const [one, other] = [await createCode(client), await createCode(client)]
    const release = holdWriteLock(server.database.url)
    const exchanged = refusalOf(exchangeCode(client, one))
    const overHttp = exchangeOverHttp(url, client, other)
    await sleep(1_000)
    running.child.kill('SIGTERM')
    expect(await exchanged).toMatchObject({ status: 'ABORTED', reason: 'RESOURCE_OUTCOME_UNKNOWN' })
    expect(await overHttp).toMatchObject({ status: 409, text: expect.stringContaining('RESOURCE_OUTCOME_UNKNOWN') })
    release()
    expect(await running.ended).toEqual({ code: 0, signal: null })
  },
  MINUTES_MS,
)

import { once } from 'node:events'
import { connect } from 'node:http2'
import { expect, it } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../../src/results.ts'
import { call, openHarness, tokenRoutes } from './harness.ts'

const { goodSecret, startServer } = await openHarness()

const { mintToken } = TokenService.method
const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } }

it('one connection carries a limited number of calls at once, and others wait', async () => {
  let running = 0
  let most = 0
  const held: (() => void)[] = []
  const routes = tokenRoutes({
    mintToken: async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise<void>((resolve) => held.push(resolve))
      running -= 1
      return success({})
    },
  })
  const server = await startServer(routes, { limits: { maxConcurrentStreams: 2 } })
  await server.client.waitForReady(Date.now() + 5_000, () => undefined)
  const answers = Array.from({ length: 5 }, () => call(server.client, mintToken, { client }))
  for (let answered = 0; answered < 5; answered += 1) {
    await expect.poll(() => held.length).toBeGreaterThan(0)
    held.shift()?.()
  }
  for (const { error } of await Promise.all(answers)) expect(error).toBeNull()
  expect(most).toBe(2)
})

it('a peer is told the limit of calls on a connection, and refused more', async () => {
  const server = await startServer(tokenRoutes(), { limits: { maxConcurrentStreams: 7 } })
  const session = connect(`http://${server.address}`)
  const [settings] = await once(session, 'remoteSettings')
  expect(settings).toMatchObject({ maxConcurrentStreams: 7 })
  session.destroy()
})

it('an old connection is closed gracefully, and calls continue over the next one', async () => {
  const routes = tokenRoutes({ mintToken: async () => success({}) })
  const server = await startServer(routes, { limits: { maxConnectionAgeMs: 300, maxConnectionAgeGraceMs: 300 } })
  const session = connect(`http://${server.address}`)
  const begun = performance.now()
  await once(session, 'goaway')
  expect(performance.now() - begun).toBeGreaterThan(200)
  await once(session, 'close')
  for (let at = 0; at < 3; at += 1) {
    expect((await call(server.client, mintToken, { client })).error).toBeNull()
    await new Promise((resolve) => setTimeout(resolve, 400))
  }
})

it('a connection that its peer ended first lives no longer than others, including its calls', async () => {
  const server = await startServer(tokenRoutes(), { limits: { maxConnectionAgeMs: 300, maxConnectionAgeGraceMs: 300 } })
  const session = connect(`http://${server.address}`)
  const headers = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
  const stream = session.request({ ...headers, ':path': '/grpc.health.v1.Health/Watch' })
  stream.end(Buffer.alloc(5))
  stream.resume()
  await once(stream, 'response')
  session.goaway()
  await once(stream, 'end')
  await once(session, 'close')
})

import { expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'
import { qscope, temporaryDirectory } from './process.ts'

const MINTS = 12

it('any worker returns the metrics of all', async () => {
  const server = qscope(await temporaryDirectory(), ['serve'], {
    QSCOPE_WORKERS: '2',
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
  })
  await server.until(/listens on/)
  const found = (pattern: RegExp) => {
    const [, value] = pattern.exec(server.stdout) ?? []
    if (value === undefined) throw new Error(`the welcome text has no ${pattern}`)
    return value
  }
  const method = { case: 'clientSecret' as const, value: found(/client secret\s+(\S+)/) }
  const client = { clientId: found(/client id\s+(\S+)/), method }
  for (let n = 0; n < MINTS; n += 1) {
    // Connections go to the workers in turn.
    const connection = connect(found(/listens on (\S+)/), { ownSocket: true })
    await connection.call(TokenService.method.mintToken, { client })
    connection.close()
  }

  const pages = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const page = await fetch(`${found(/well-known at (\S+)/)}/metrics`, { headers: { connection: 'close' } })
      expect(page.status).toBe(200)
      return await page.text()
    }),
  )
  const issued = /^qscope_tokens_issued_total\{grant="client_credentials"\} (\d+)$/m
  expect(pages.map((page) => Number(issued.exec(page)?.[1]))).toEqual(pages.map(() => MINTS))

  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual({ code: 0, signal: null })
}, 300_000)

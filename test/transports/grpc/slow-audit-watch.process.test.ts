import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { connect as connectHttp2 } from 'node:http2'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  AuditService,
  WatchAuditEventsRequestSchema,
  type WatchAuditEventsResponse,
  WatchAuditEventsResponseSchema,
} from '../../../src/gen/qscope/v1/audit_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { grpcFrame, rawCall } from '../../attacks/raw-streams.ts'
import { type Served, serve } from '../../attacks/served.ts'
import { type Connection, connect, refusalOf } from '../../setup/client.ts'

const { watchAuditEvents } = AuditService.method
const { mintToken, batchMintTokens } = TokenService.method
const WATCH = `/${AuditService.typeName}/${watchAuditEvents.name}`
const MIB = 1024 * 1024
const SLOW = 20
const BATCH = 100
/** For one reader, they are about 3 MiB. */
const EVENTS = 5_000
/** For a loaded machine. */
const PATIENCE = { timeout: 120_000, interval: 100 }
const LONG = 170_000

describe('watchers of the audit log that read nothing', () => {
  let served: Served
  let connection: Connection
  beforeAll(async () => {
    // A client may use half of the watches, which is the number in this test.
    served = await serve({ QSCOPE_MAX_AUDIT_WATCHES: String(2 * (SLOW + 1)) })
    connection = connect(served.address, { ownSocket: true })
  })
  afterAll(async () => {
    connection.close()
    await served.stop()
  })

  const client = () => ({ clientId: 'admin', method: { case: 'clientSecret' as const, value: served.secret } })
  /** A stream on its own connection that receives only its flow control window until the test reads it. */
  async function openSlow(bearer: string): Promise<{ session: ClientHttp2Session; stream: ClientHttp2Stream }> {
    const session = connectHttp2(`http://${served.address}`)
    session.on('error', () => undefined)
    onTestFinished(() => session.destroy())
    const stream = rawCall(session, WATCH, { authorization: `Bearer ${bearer}` })
    stream.end(grpcFrame(toBinary(WatchAuditEventsRequestSchema, create(WatchAuditEventsRequestSchema))))
    await once(stream, 'response')
    return { session, stream }
  }
  const idsOf = (items: readonly WatchAuditEventsResponse[]) =>
    items.flatMap(({ event }) => (event?.eventType === 'token.issued' ? [event.eventId] : []))

  it('cost little, delay no others, and miss nothing when they continue', async () => {
    const { token } = await connection.call(mintToken, { client: client() })
    const bearer = token?.accessToken ?? ''
    const prompt = connection.stream(watchAuditEvents, {}, { bearer, deadlineMs: LONG })
    onTestFinished(() => prompt.cancel())
    await prompt.first
    const slow = await Promise.all(Array.from({ length: SLOW }, () => openSlow(bearer)))
    const before = await served.heap()

    const requests = Array.from({ length: BATCH }, () => ({}))
    for (let minted = 0; minted < EVENTS; minted += BATCH)
      await connection.call(batchMintTokens, { client: client(), requests })
    await expect.poll(() => idsOf(prompt.items).length, PATIENCE).toBeGreaterThanOrEqual(EVENTS)
    // A page of events and the bytes that wait for the socket, for any number of events.
    expect(((await served.heap()) - before) / SLOW).toBeLessThan(MIB)

    const refused = await refusalOf(connection.stream(watchAuditEvents, {}, { bearer }).ended)
    expect(refused).toMatchObject({ reason: 'LIMIT_EXCEEDED' })
    const [first, ...others] = slow
    for (const { session } of others) session.destroy()
    // Further watches are accepted again.
    const isLetIn = async () => {
      const watching = connection.stream(watchAuditEvents, {}, { bearer })
      const outcome = await Promise.race([watching.first.then(() => true), watching.ended.catch(() => false)])
      watching.cancel()
      return outcome
    }
    await expect.poll(isLetIn, PATIENCE).toBe(true)

    const read = reader(first?.stream)
    await expect.poll(() => idsOf(read()).length, PATIENCE).toBeGreaterThanOrEqual(EVENTS)
    expect(idsOf(read())).toEqual(idsOf(prompt.items))
  })
})

/** Reads a stream from now on, and returns the received items. */
function reader(stream: ClientHttp2Stream | undefined): () => readonly WatchAuditEventsResponse[] {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => {
    const bytes = Buffer.concat(chunks)
    const items: WatchAuditEventsResponse[] = []
    for (let at = 0; at + 5 <= bytes.length; ) {
      const end = at + 5 + bytes.readUInt32BE(at + 1)
      if (end > bytes.length) break
      items.push(fromBinary(WatchAuditEventsResponseSchema, bytes.subarray(at + 5, end)))
      at = end
    }
    return items
  }
}

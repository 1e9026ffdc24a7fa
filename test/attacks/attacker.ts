/** A process that repeats one attack on a server until it is stopped. Refusals are expected. */
import { randomBytes } from 'node:crypto'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { drawToken } from '../../src/crypto/token.ts'
import { ServerReflectionRequestSchema } from '../../src/gen/grpc/reflection/v1/reflection_pb.ts'
import { BatchIntrospectTokensRequestSchema, MintTokenRequestSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { grpcFrame, rawCall, shutWindow } from './raw-streams.ts'

const MIB = 1024 * 1024

const ATTACKS = Object.freeze({
  /** An inner field that overruns its message, then empty requests. */
  'lists behind a broken field': async () => {
    const body = Buffer.concat([Buffer.from('0a020a03616263', 'hex'), Buffer.alloc(2 * 524_000, Buffer.of(0x12, 0))])
    const session = open()
    await repeated(4, () => called(session, 'TokenService/BatchMintTokens', body))
  },
  'masks of a million paths': async () => {
    await repeated(4, () => posted('ClientService/UpdateClient', JSON.stringify({ updateMask: 'a,'.repeat(500_000) })))
  },
  'brackets in brackets': async () => {
    await repeated(4, () => posted('ClientService/UpdateClient', '['.repeat(524_000)))
  },
  'trace states of many words': async () => {
    const session = open()
    const headers = {
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      tracestate: 'eyJ'.repeat(20_000),
    }
    await repeated(2, () => called(session, 'TokenService/MintToken', Buffer.alloc(0), headers))
  },
  'reflection that nobody reads': async () => {
    const request = create(ServerReflectionRequestSchema, {
      messageRequest: { case: 'fileContainingSymbol', value: 'qscope.v1.TokenService' },
    })
    const question = grpcFrame(toBinary(ServerReflectionRequestSchema, request))
    for (let connections = 0; connections < 4; connections += 1) {
      const session = shutWindow(address)
      for (let n = 0; n < 900; n += 1) {
        rawCall(session, '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo').write(question)
      }
      await sleep(1_000)
    }
  },
  'messages that never end': async () => {
    for (let connections = 0; connections < 2; connections += 1) neverEnding(open())
    await sleep(0)
  },
  'lists of empty tokens': async () => {
    const session = open()
    const request = create(BatchIntrospectTokensRequestSchema, {
      client: { clientId: 'nobody', method: { case: 'clientSecret', value: 'wrong' } },
      tokens: Array.from({ length: 1_000 }, () => ''),
    })
    const body = toBinary(BatchIntrospectTokensRequestSchema, request)
    await repeated(4, () => called(session, 'TokenService/BatchIntrospectTokens', body))
  },
  'clients that are made up': async () => {
    const session = open()
    await repeated(8, async () => {
      const clientId = randomBytes(8).toString('hex')
      const request = create(MintTokenRequestSchema, {
        client: { clientId, method: { case: 'clientSecret', value: 'wrong' } },
      })
      await called(session, 'TokenService/MintToken', toBinary(MintTokenRequestSchema, request))
    })
  },
  'bearers that are forged': async () => {
    const session = open()
    await repeated(8, () =>
      called(session, 'TokenService/ListTokens', Buffer.alloc(0), { authorization: `Bearer ${drawToken('access')}` }),
    )
  },
  'readers of the audit log': async () => {
    const session = open()
    // `client_id` of a client without events.
    const filter = Buffer.from('12066e6f626f6479', 'hex')
    await repeated(8, () =>
      called(session, 'AuditService/ListAuditEvents', filter, { authorization: `Bearer ${bearer}` }),
    )
  },
})

export type Attack = keyof typeof ATTACKS

const [name = '', address = '', httpUrl = '', bearer = ''] = process.argv.slice(2)
const on = true

function open(): ClientHttp2Session {
  const session = connectHttp2(`http://${address}`)
  session.on('error', () => undefined)
  return session
}

/** Runs `atOnce` loops in parallel, each of which repeats `once`. */
async function repeated(atOnce: number, once: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (on) await once()
    }),
  )
}

function called(
  session: ClientHttp2Session,
  method: string,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  return new Promise((resolve) => {
    const stream = rawCall(session, `/qscope.v1.${method}`, headers)
    stream.once('close', resolve)
    stream.resume()
    stream.end(grpcFrame(message))
  })
}

async function posted(method: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${httpUrl}/qscope.v1.${method}`, { method: 'POST', headers, body }).catch(() => null)
  await answer?.text()
}

/** Streams that send a message of a megabyte without its last byte; a refused stream is replaced by a new one. */
function neverEnding(session: ClientHttp2Session, streams = 700): void {
  const all = grpcFrame(Buffer.alloc(MIB - 5))
  const begin = () => {
    if (!on || session.closed || session.destroyed) return
    const stream = rawCall(session, '/qscope.v1.TokenService/MintToken')
    stream.once('close', () => setTimeout(begin, 10))
    stream.resume()
    stream.write(all.subarray(0, -1))
  }
  for (let n = 0; n < streams; n += 1) begin()
}

function attackOf(wanted: string): () => Promise<void> {
  for (const [each, attack] of Object.entries(ATTACKS)) if (each === wanted) return attack
  throw new Error(`there is no attack "${wanted}"`)
}

process.once('SIGTERM', () => process.exit(0))
const alive = setInterval(() => undefined, 1_000)
process.stdout.write('attacking\n')
await attackOf(name)()
void alive

import { status } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../../src/results.ts'
import { testedTransportName } from '../../setup/transport-names.ts'
import { Peer } from '../http2/peer.ts'
import { CODE, data, type Fields, headers, PREFACE, request, settings, TYPE } from '../http2/wire.ts'
import { openHarness, tokenRoutes } from './harness.ts'

const { startServer } = await openHarness()

const PATH = `/${TokenService.typeName}/GetJsonWebKeySet`
/** An empty message of gRPC. */
const EMPTY = Buffer.alloc(5)

/** Sends a raw call with these fields on a new connection; `frames` are those received on its stream. */
async function called(fields: Fields) {
  const heard: (string | undefined)[] = []
  const server = await startServer(
    tokenRoutes({
      getJsonWebKeySet: async () => {
        heard.push('called')
        return success({})
      },
    }),
  )
  const peer = await Peer.connect(server.port)
  onTestFinished(() => peer.destroy())
  const grpc: Fields = [['te', 'trailers'], ['content-type', 'application/grpc'], ...fields]
  peer.send(PREFACE, settings(), headers(1, request(PATH, grpc)), data(1, EMPTY, true))
  return { peer, heard, lines: server.lines }
}

/** The fields of the header block that ends a call. */
async function endOf(peer: Peer): Promise<Record<string, string>> {
  const { payload } = await peer.until(
    ({ type, stream, flags }) => type === TYPE.HEADERS && stream === 1 && (flags & 1) !== 0,
  )
  return peer.fieldsOf(payload)
}

describe('a call with contradictory headers', () => {
  it('is reset for a host that differs from :authority (RFC 9113 §8.3.1)', async () => {
    const { peer, heard } = await called([['host', 'elsewhere']])
    expect(await peer.resetOf(1)).toBe(CODE.PROTOCOL_ERROR)
    expect(heard).toEqual([])
  })

  it('is answered if the host is the same', async () => {
    const { peer, heard } = await called([['host', 'localhost']])
    await peer.until(({ type, stream }) => type === TYPE.DATA && stream === 1)
    expect(heard).toEqual(['called'])
  })
})

describe('a call in an unsupported encoding', () => {
  it.each(['deflate', 'br'])('(%s) is refused with the supported ones', async (encoding) => {
    const { peer, heard } = await called([['grpc-encoding', encoding]])
    const end = await endOf(peer)
    expect(end).toMatchObject({ 'grpc-status': `${status.UNIMPLEMENTED}`, 'grpc-accept-encoding': 'identity,gzip' })
    expect(heard).toEqual([])
  })

  it.each(['identity', 'gzip'])('(%s is) is answered', async (encoding) => {
    const { peer, heard } = await called([['grpc-encoding', encoding]])
    const { payload } = await peer.until(({ type, stream }) => type === TYPE.HEADERS && stream === 1)
    expect(peer.fieldsOf(payload)).toMatchObject({ 'grpc-accept-encoding': 'identity,gzip' })
    await peer.until(({ type, stream }) => type === TYPE.DATA && stream === 1)
    expect(heard).toEqual(['called'])
  })
})

describe('a control character in the value of a header', () => {
  const RAY_ID: Fields = [['x-ray-id', 'of-the\u0001-caller']]

  it('ends the call, or on grpc-js counts as if the header had not been sent', async () => {
    const { peer, heard } = await called(RAY_ID)
    if (testedTransportName() === 'native') {
      expect(await endOf(peer)).toMatchObject({ 'grpc-status': `${status.INVALID_ARGUMENT}` })
      expect(heard).toEqual([])
      return
    }
    // nghttp2, the library of Node.js, drops such a field.
    const { payload } = await peer.until(({ type, stream }) => type === TYPE.HEADERS && stream === 1)
    expect(peer.fieldsOf(payload)).toMatchObject({ 'x-ray-id': 'fresh-ray-id' })
    expect(heard).toEqual(['called'])
  })
})

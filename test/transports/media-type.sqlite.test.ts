import { connect } from 'node:http2'
import { buffer } from 'node:stream/consumers'
import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it, onTestFinished } from 'vitest'
import { GetJsonWebKeySetRequestSchema } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../src/results.ts'
import { mediaTypeOf } from '../../src/transports/media-type.ts'
import { openHarness, tokenRoutes } from './grpc/harness.ts'

const { startServer } = await openHarness()

/** The HTTP status and the status of gRPC that a call of this content type gets. */
async function callAs(contentType: string | undefined) {
  const { address } = await startServer(tokenRoutes({ getJsonWebKeySet: async () => success({}) }))
  const session = connect(`http://${address}`)
  onTestFinished(() => session.destroy())
  const request = session.request({
    ':method': 'POST',
    ':path': '/qscope.v1.TokenService/GetJsonWebKeySet',
    te: 'trailers',
    ...(contentType !== undefined && { 'content-type': contentType }),
  })
  const message = toBinary(GetJsonWebKeySetRequestSchema, create(GetJsonWebKeySetRequestSchema))
  request.end(Buffer.concat([Buffer.alloc(5), message]))
  let status: unknown
  let grpcStatus: unknown
  request.on('response', (headers) => {
    status = headers[':status']
    grpcStatus = headers['grpc-status']
  })
  request.on('trailers', (trailers) => {
    grpcStatus = trailers['grpc-status']
  })
  await buffer(request)
  return [status, grpcStatus]
}

describe('RFC 9110 §8.3.1: a media type is compared without case, and without its parameters', () => {
  it.each([
    'application/grpc',
    'Application/GRPC',
    'APPLICATION/GRPC+PROTO',
    'Application/Grpc; charset=UTF-8',
    'application/grpc ;x=y',
  ])('a call of the type %s is answered', async (contentType) => {
    expect(await callAs(contentType)).toEqual([200, '0'])
  })

  it.each(['application/json', 'text/plain', 'Application', undefined])(
    'a call of the type %s is refused',
    async (type) => {
      expect((await callAs(type))[0]).toBe(415)
    },
  )

  it.each([
    ['Application/JSON', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    ['application/json;CHARSET="UTF-8"; x="a;b"', 'application/json'],
    ['application/json ; charset=utf8', 'application/json'],
    [' application/json', 'application/json'],
    ['', ''],
    ['application/json; charset=latin1', 'application/json; charset=latin1'],
    ['Application/JSON; charset="iso-8859-1"', 'Application/JSON; charset="iso-8859-1"'],
  ])('%s is %s', (contentType, mediaType) => {
    expect(mediaTypeOf(contentType)).toBe(mediaType)
  })
})

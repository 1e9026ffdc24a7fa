import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { GetJsonWebKeySetRequestSchema } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../../src/results.ts'
import { openHarness, tokenRoutes } from '../grpc/harness.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()

const KEYS = '/qscope.v1.TokenService/GetJsonWebKeySet'
const routes = tokenRoutes({ getJsonWebKeySet: async () => success({}) })

/** Sends raw bytes, and returns the answer when the server closes the connection. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  return await text(socket)
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0)

describe('RFC 9110 §8.3.1: over HTTP', () => {
  const message = toBinary(GetJsonWebKeySetRequestSchema, create(GetJsonWebKeySetRequestSchema))
  const enveloped = Buffer.concat([Buffer.alloc(5), message])

  it.each([
    ['application/json', '{}'],
    ['Application/JSON', '{}'],
    ['APPLICATION/JSON; Charset=UTF-8', '{}'],
    ['application/json;charset="utf-8"', '{}'],
    ['application/json ; x=y', '{}'],
    ['Application/Proto', message],
    ['application/proto; x=y', message],
    ['Application/gRPC-Web', enveloped],
    ['application/GRPC-WEB+PROTO; x=y', enveloped],
  ])('a call of the type %s is answered', async (contentType, body) => {
    const { url } = await startHttp(harness, routes)
    const answer = await fetch(url + KEYS, { method: 'POST', headers: { 'content-type': contentType }, body })
    expect(answer.status).toBe(200)
  })

  it.each(['text/plain', 'application/json; charset=latin1', 'application/jsonx', 'application/xml'])(
    'a call of the type %s is refused',
    async (contentType) => {
      const { url } = await startHttp(harness, routes)
      const answer = await fetch(url + KEYS, { method: 'POST', headers: { 'content-type': contentType }, body: '{}' })
      expect(answer.status).toBe(415)
    },
  )
})

describe('RFC 9110 §8.4.1: the content coding of a body', () => {
  const post = (coding: string) => fetchRaw({ 'content-type': 'application/json', 'content-encoding': coding })

  it.each(['identity', 'Identity', 'IDENTITY'])('%s is accepted', async (coding) => {
    expect(statusOf(await post(coding))).toBe(200)
  })

  it.each(['gzip', 'GZIP', 'br', 'identity, gzip'])(
    '%s is refused, because no compression is supported',
    async (coding) => {
      expect(statusOf(await post(coding))).toBe(501)
    },
  )

  async function fetchRaw(headers: Readonly<Record<string, string>>): Promise<string> {
    const { port } = await startHttp(harness, routes)
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const head = [`POST ${KEYS} HTTP/1.1`, 'host: a', 'connection: close', 'content-length: 2', ...lines]
    return await answerTo(port, [...head, '', '{}'].join('\r\n'))
  }
})

describe('RFC 9112 §3.2: the host', () => {
  const post = (version: string, ...lines: readonly string[]) =>
    [
      `POST ${KEYS} HTTP/${version}`,
      'connection: close',
      'content-type: application/json',
      'content-length: 2',
      ...lines,
      '',
      '{}',
    ].join('\r\n')
  const get = (version: string, ...lines: readonly string[]) =>
    [`GET /healthz HTTP/${version}`, 'connection: close', ...lines, '', ''].join('\r\n')

  it.each([
    ['HTTP/1.0 without one', '1.0', []],
    ['HTTP/1.0 with one', '1.0', ['host: qscope.internal']],
    ['HTTP/1.1 with one', '1.1', ['host: qscope.internal:8080']],
    ['HTTP/1.1 with an address', '1.1', ['Host: [::1]:8080']],
    ['HTTP/1.1 with an empty one', '1.1', ['host:']],
  ])('%s is answered', async (_what, version, lines) => {
    const { port } = await startHttp(harness, routes)
    expect(statusOf(await answerTo(port, post(version, ...lines)))).toBe(200)
    expect(statusOf(await answerTo(port, get(version, ...lines)))).toBe(200)
  })

  it.each([
    ['HTTP/1.1 without one', '1.1', []],
    ['HTTP/1.1 with two', '1.1', ['host: a', 'host: b']],
    ['HTTP/1.1 with the same twice', '1.1', ['host: a', 'Host: a']],
    ['HTTP/1.0 with two', '1.0', ['host: a', 'host: b']],
    ['a malformed host', '1.1', ['host: a b']],
    ['a host with a path', '1.1', ['host: a/b']],
    ['a host with a user', '1.1', ['host: a@b']],
  ])('%s is refused', async (_what, version, lines) => {
    const { port } = await startHttp(harness, routes)
    expect(statusOf(await answerTo(port, post(version, ...lines)))).toBe(400)
    expect(statusOf(await answerTo(port, get(version, ...lines)))).toBe(400)
  })
})

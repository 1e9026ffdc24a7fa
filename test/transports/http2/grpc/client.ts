import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import { onTestFinished } from 'vitest'
import { GrpcApplication, type GrpcApplicationOptions } from '../../../../src/transports/http2/grpc/application.ts'
import type { Method } from '../../../../src/transports/http2/grpc/method.ts'
import { Http2Server } from '../../../../src/transports/http2/server.ts'

/** A server of these methods, and a session of Node's own client with it. */
export async function serve(
  methods: (application: () => GrpcApplication) => readonly Method[],
  options: Partial<GrpcApplicationOptions> = {},
  settings: { readonly initialWindowSize?: number } = {},
): Promise<ClientHttp2Session> {
  const application: GrpcApplication = new GrpcApplication({
    methods: methods(() => application),
    maxMessageBytes: 100_000,
    ...options,
  })
  const server = new Http2Server({
    application,
    onError: (error) => {
      throw error
    },
  })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`http://127.0.0.1:${port}`, { settings })
  onTestFinished(async () => {
    session.destroy()
    server.destroy()
    await server.close()
  })
  return session
}

/** What came of a call. Trailers-only answers have their status in the headers. */
export interface Answered {
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly status: string | undefined
  readonly body: Buffer
}

export function request(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): ClientHttp2Stream {
  return session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  } as IncomingHttpHeaders)
}

export function answered(stream: ClientHttp2Stream): Promise<Answered> {
  return new Promise((resolve, reject) => {
    let headers: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    const pieces: Buffer[] = []
    stream.on('response', (received) => {
      headers = received
    })
    stream.on('trailers', (received) => {
      trailers = received
    })
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', reject)
    stream.on('close', () => {
      const status = trailers['grpc-status'] ?? headers['grpc-status']
      resolve({ headers, trailers, status: status?.toString(), body: Buffer.concat(pieces) })
    })
  })
}

import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const SETTINGS = 4
const HEADERS = 1
/** The first frame of headers has neither END_STREAM nor END_HEADERS, so more must follow. */
const NO_FLAGS = 0

/** A frame of HTTP/2 (RFC 9113 §4.1). */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.byteLength, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A socket that is connected to `host:port`. */
export async function rawSocket(address: string): Promise<Socket> {
  const [host = '', port = ''] = address.split(':')
  const socket = connect({ host, port: Number(port) })
  // The server may close the connection of a flooding caller.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Begins headers, and never ends them. */
export async function unfinishedHeaders(address: string): Promise<Socket> {
  const socket = await rawSocket(address)
  // `:method: POST` of the static table (RFC 7541 Appendix A).
  const begun = frame(HEADERS, NO_FLAGS, 1, Buffer.from([0x83]))
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, Buffer.alloc(0)), begun]))
  return socket
}

/** A session with a window of zero, so that the server can send only headers. */
export function shutWindow(address: string): ClientHttp2Session {
  const session = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 0 } })
  session.on('error', () => undefined)
  return session
}

/** A gRPC call as a raw stream, which the test writes and ends. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const stream = session.request({
    ...headers,
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.on('error', () => undefined)
  return stream
}

/** A message as gRPC frames it. */
export function grpcFrame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.byteLength, 1)
  return Buffer.concat([head, message])
}

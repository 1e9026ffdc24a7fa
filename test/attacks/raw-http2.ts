import { connect, type Socket } from 'node:net'

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const TYPE = Object.freeze({
  DATA: 0,
  HEADERS: 1,
  RST: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW: 8,
  CONTINUATION: 9,
})
export const FLAG = Object.freeze({ END_STREAM: 1, END_HEADERS: 4 })

/** A frame of HTTP/2 (RFC 9113 §4.1). */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** The preface and SETTINGS of a normal client. */
export const HELLO = Buffer.concat([PREFACE, frame(TYPE.SETTINGS, 0, 0)])

/** RFC 7541 §6.2.2: each header as a literal, neither compressed nor added to the dynamic table. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value)
    return Buffer.concat([length(bytes.length), bytes])
  }
  return Buffer.concat(Object.entries(headers).flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))
}

/** RFC 7541 §5.1, with a prefix of seven bits. */
function length(value: number): Buffer {
  if (value < 127) return Buffer.of(value)
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.of(...bytes, rest)
}

/** The headers of a gRPC call, of MintToken by default. */
export function callHeaders(more: Readonly<Record<string, string>> = {}): Buffer {
  return headerBlock({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/qscope.v1.TokenService/MintToken',
    ':authority': 'localhost',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  })
}

/** A whole call on a stream: its headers and a raw body. */
export function wholeCall(stream: number, body: Uint8Array, more: Readonly<Record<string, string>> = {}): Buffer {
  return Buffer.concat([
    frame(TYPE.HEADERS, FLAG.END_HEADERS, stream, callHeaders(more)),
    frame(TYPE.DATA, FLAG.END_STREAM, stream, body),
  ])
}

/** A message with its prefix; `flag` 1 marks it as compressed. */
export function grpcMessage(message: Uint8Array, flag = 0, stated = message.length): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(flag, 0)
  head.writeUInt32BE(stated, 1)
  return Buffer.concat([head, message])
}

/** The number of received bytes that are kept. */
const KEPT = 65_536

/** A connection that sends arbitrary bytes. */
export interface RawConnection {
  readonly socket: Socket
  readonly isClosed: () => boolean
  /** Whether the server has answered on a stream, or is closing the connection. */
  readonly isAnswered: (stream: number) => boolean
  /** Writes with back-pressure; does nothing after the server has closed the connection. */
  send(...parts: readonly Uint8Array[]): Promise<void>
}

export function openRaw(port: number): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    let received = Buffer.alloc(0)
    socket.once('error', reject)
    socket.on('data', (bytes) => {
      if (received.length < KEPT) received = Buffer.concat([received, bytes])
    })
    socket.once('connect', () => {
      // From here on a reset of the connection is a valid answer.
      socket.on('error', () => undefined)
      resolve({
        socket,
        isClosed: () => socket.destroyed,
        isAnswered: (stream) => socket.destroyed || hasAnswer(received, stream),
        send: (...parts) => sendOn(socket, parts),
      })
    })
  })
}

/** HEADERS or RST_STREAM on the stream, or GOAWAY. */
function hasAnswer(received: Buffer, stream: number): boolean {
  for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3)) {
    const type = received.readUInt8(at + 3)
    if (type === TYPE.GOAWAY) return true
    if ((type === TYPE.HEADERS || type === TYPE.RST) && received.readUInt32BE(at + 5) === stream) return true
  }
  return false
}

async function sendOn(socket: Socket, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) {
    if (socket.destroyed || socket.writableEnded) return
    if (socket.write(part)) continue
    await new Promise<void>((next) => {
      const go = () => {
        socket.off('drain', go)
        socket.off('close', go)
        next()
      }
      socket.on('drain', go).on('close', go)
    })
  }
}

import { connect, type Socket } from 'node:net'
import { DEFAULT_WINDOW, FLAG, FRAME, FRAME_HEADER_BYTES, frame, opening, windowUpdate } from './frames.ts'
import { grpcStatusIn, type RequestHeaders, requestHeaders } from './header-blocks.ts'

/** Reports how a call ended: its gRPC status, or a word if the transport ended it, and the body with its gRPC prefix. */
export type Ended = (status: number | string, body: readonly Buffer[]) => void

interface OpenCall {
  readonly ended: Ended
  readonly body: Buffer[]
}

/** The connection's own window is reopened when this much of it is used. */
const REOPEN_BYTES = 2 ** 28

/**
 * An HTTP/2 connection for unary gRPC calls of one method. It takes a fifth of the processor time of `node:http2`, so that
 * the server remains the bottleneck. Writes of one turn are sent together.
 */
export class GrpcConnection {
  readonly #socket: Socket
  readonly #headers: RequestHeaders
  readonly #calls = new Map<number, OpenCall>()
  readonly #waiting: { readonly data: Buffer; readonly ended: Ended }[] = []
  #out: Buffer[] = []
  #rest: Buffer = Buffer.alloc(0)
  #nextStream = 1
  #sendWindow = DEFAULT_WINDOW
  #received = 0
  /** A header block that continues in the next frame. */
  #begunBlock: Buffer | null = null
  #flushing = false

  private constructor(socket: Socket, path: string, authority: string) {
    this.#socket = socket
    this.#headers = requestHeaders(path, authority)
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('error', (error) => this.#lost(error.message))
    socket.on('close', () => this.#lost('CONNECTION_CLOSED'))
    this.#write(opening())
  }

  static async open(port: number, path: string): Promise<GrpcConnection> {
    const socket = connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new GrpcConnection(socket, path, `127.0.0.1:${port}`)
  }

  /** `data` comes from `grpcData`. The bytes can be reused after the call ended. */
  call(data: Buffer, ended: Ended): void {
    const length = data.length - FRAME_HEADER_BYTES
    if (length > this.#sendWindow) {
      this.#waiting.push({ data, ended })
      return
    }
    this.#sendWindow -= length
    const stream = this.#nextStream
    this.#nextStream += 2
    this.#calls.set(stream, { ended, body: [] })
    const block = stream === 1 ? this.#headers.first : this.#headers.later
    const headers = frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, block)
    data.writeUInt32BE(stream, 5)
    this.#write(headers, data)
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #write(...parts: readonly Buffer[]): void {
    this.#out.push(...parts)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      const bytes = Buffer.concat(this.#out)
      this.#out = []
      this.#flushing = false
      this.#socket.write(bytes)
    })
  }

  #read(chunk: Buffer): void {
    const input = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (input.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + input.readUIntBE(at, 3)
      if (end > input.length) break
      const payload = input.subarray(at + FRAME_HEADER_BYTES, end)
      this.#take(input.readUInt8(at + 3), input.readUInt8(at + 4), input.readUInt32BE(at + 5), payload)
      at = end
    }
    this.#rest = input.subarray(at)
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case FRAME.DATA:
        this.#calls.get(stream)?.body.push(payload)
        this.#makeRoom(payload.length)
        if (flags & FLAG.END_STREAM) this.#end(stream, 'NO_STATUS')
        break
      case FRAME.HEADERS:
      case FRAME.CONTINUATION: {
        const block = this.#begunBlock === null ? payload : Buffer.concat([this.#begunBlock, payload])
        this.#begunBlock = flags & FLAG.END_HEADERS ? null : block
        // Trailers and trailers-only answers contain the status. Other headers are ignored.
        const status = this.#begunBlock === null ? grpcStatusIn(block) : null
        if (status !== null) this.#end(stream, status)
        break
      }
      case FRAME.RST_STREAM:
        this.#end(stream, `RESET_${payload.readUInt32BE(0)}`)
        break
      case FRAME.SETTINGS:
        if (!(flags & FLAG.ACK)) this.#write(frame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(0)))
        break
      case FRAME.PING:
        if (!(flags & FLAG.ACK)) this.#write(frame(FRAME.PING, FLAG.ACK, 0, payload))
        break
      case FRAME.WINDOW_UPDATE:
        if (stream === 0) this.#sendWindow += payload.readUInt32BE(0)
        this.#sendWaiting()
        break
      case FRAME.GOAWAY:
        // With NO_ERROR, calls in progress can finish. New ones fail when the server closes the connection.
        if (payload.readUInt32BE(4) !== 0) this.#lost(`GOAWAY_${payload.readUInt32BE(4)}`)
        break
    }
  }

  #sendWaiting(): void {
    for (;;) {
      const [next] = this.#waiting
      if (next === undefined || next.data.length - FRAME_HEADER_BYTES > this.#sendWindow) return
      this.#waiting.shift()
      this.call(next.data, next.ended)
    }
  }

  #makeRoom(bytes: number): void {
    this.#received += bytes
    if (this.#received < REOPEN_BYTES) return
    this.#write(windowUpdate(this.#received))
    this.#received = 0
  }

  #end(stream: number, status: number | string): void {
    const call = this.#calls.get(stream)
    if (call === undefined) return
    this.#calls.delete(stream)
    call.ended(status, call.body)
  }

  #lost(reason: string): void {
    for (const stream of [...this.#calls.keys()]) this.#end(stream, reason)
    for (const { ended } of this.#waiting.splice(0)) ended(reason, [])
  }
}

import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Decoder } from '../../../src/transports/http2/hpack/decoder.ts'
import type { HeaderField } from '../../../src/transports/http2/hpack/header-field.ts'
import type { Http2Limits } from '../../../src/transports/http2/options.ts'
import { Http2Server, type Http2ServerOptions } from '../../../src/transports/http2/server.ts'
import { EchoApplication } from './echo.ts'
import { FLAG, type Frame, framesIn, PREFACE, SETTINGS_ACK, settings, TYPE } from './wire.ts'

/** A server that echoes, on a free port of this machine. */
export async function startEcho(limits: Partial<Http2Limits> = {}, more: Partial<Http2ServerOptions> = {}) {
  const application = new EchoApplication()
  const server = new Http2Server({
    application,
    limits,
    onError: (error) => {
      throw error
    },
    ...more,
  })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    application,
    server,
    port,
    /** A peer that has sent nothing. */
    dial: () => Peer.connect(port),
    /** A peer that has exchanged the preface and SETTINGS. */
    greet: async (...greeting: readonly (readonly [identifier: number, value: number])[]) => {
      const peer = await Peer.connect(port)
      peer.send(PREFACE, settings(...greeting))
      await peer.until(({ type, flags }) => type === TYPE.SETTINGS && flags === FLAG.ACK)
      peer.send(SETTINGS_ACK)
      return peer
    },
    stop: async () => {
      const closed = server.close()
      server.destroy()
      await closed
    },
  }
}

export type Echo = Awaited<ReturnType<typeof startEcho>>

/** A client that sends given bytes, valid or not, and records the received frames. */
export class Peer {
  readonly socket: Socket
  readonly frames: Frame[] = []
  closed = false
  readonly #decoder = new Decoder()
  #bytes: Buffer = Buffer.alloc(0)

  static async connect(port: number): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Peer(socket)
  }

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      const { frames, rest } = framesIn(Buffer.concat([this.#bytes, chunk]))
      this.frames.push(...frames)
      this.#bytes = rest
    })
    // A server that closes a connection may reset it while the peer still sends.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
    })
  }

  send(...bytes: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  /** The first frame of which this is true, when it has come. @throws Error when the connection closes first. */
  async until(matches: (frame: Frame) => boolean, ms = 20_000): Promise<Frame> {
    const end = performance.now() + ms
    for (;;) {
      const found = this.frames.find(matches)
      if (found !== undefined) return found
      if (this.closed) throw new Error(`closed after ${this.summary()}`)
      if (performance.now() > end) throw new Error(`nothing came after ${this.summary()}`)
      await sleep(2)
    }
  }

  /** The code of the RST_STREAM that comes on a stream. */
  async resetOf(stream: number): Promise<number> {
    return (
      await this.until((frame) => frame.type === TYPE.RST_STREAM && frame.stream === stream)
    ).payload.readUInt32BE()
  }

  /** Code and debug data of the GOAWAY that comes. */
  async goAway(): Promise<{ readonly code: number; readonly debug: string; readonly last: number }> {
    const { payload } = await this.until(({ type }) => type === TYPE.GOAWAY)
    return { last: payload.readUInt32BE(0), code: payload.readUInt32BE(4), debug: payload.toString('utf8', 8) }
  }

  async untilClosed(ms = 20_000): Promise<void> {
    const end = performance.now() + ms
    while (!this.closed) {
      if (performance.now() > end) throw new Error(`not closed after ${this.summary()}`)
      await sleep(2)
    }
  }

  /** The whole answer on a stream, when it has ended. */
  async answer(stream: number): Promise<string> {
    await this.until((frame) => frame.stream === stream && ends(frame))
    return this.contentOf(stream)
  }

  /** The content that has come on a stream. */
  contentOf(stream: number): string {
    return Buffer.concat(
      this.frames.filter((frame) => frame.stream === stream && frame.type === TYPE.DATA).map(({ payload }) => payload),
    ).toString('latin1')
  }

  /** The fields of a header block, which may refer to no table. */
  fieldsOf(block: Buffer): Record<string, string> {
    const fields: Record<string, string> = {}
    const sink = {
      field({ name, value }: HeaderField) {
        fields[name] = value
      },
    }
    this.#decoder.decode(block, 0, block.length, sink)
    return fields
  }

  summary(): string {
    return this.frames
      .map(({ type, flags, stream, payload }) => `${type}/${flags}/${stream}/${payload.length}`)
      .join(' ')
  }

  destroy(): void {
    this.socket.destroy()
  }
}

function ends({ type, flags }: Frame): boolean {
  return (type === TYPE.DATA || type === TYPE.HEADERS) && (flags & FLAG.END_STREAM) !== 0
}

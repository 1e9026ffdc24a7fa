import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { BlockPool } from '../../../src/transports/http2/block-pool.ts'
import { ServerConnection, type Shared } from '../../../src/transports/http2/connection.ts'
import { BlockReader } from '../../../src/transports/http2/hpack/block-reader.ts'
import { DEFAULT_LIMITS, type Http2Limits } from '../../../src/transports/http2/options.ts'
import { RequestPacer } from '../../../src/transports/http2/request-pacer.ts'
import { WriteScheduler } from '../../../src/transports/http2/write-scheduler.ts'
import { EchoApplication } from './echo.ts'
import { FLAG, type Frame, framesIn, TYPE } from './wire.ts'

/** Blocks that are overwritten as soon as they are given back: whoever still reads one reads noise. */
export class PoisonedPool extends BlockPool {
  override giveBack(block: Buffer): void {
    block.fill(0xdd)
    super.giveBack(block)
  }
}

/** What a connection reads from and writes to. As of a socket, what was written belongs to the writer again when that is called back. */
export class MemorySocket extends Duplex {
  readonly written: Buffer[] = []
  /** Called when all may go on that was written while `isSlow`. */
  taken: (() => void) | null = null
  /** Takes what is written only when `taken` is called. */
  isSlow = false

  override _read(): void {
    // All there is was pushed.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(Buffer.from(chunk))
    if (this.isSlow) this.taken = done
    else done()
  }
}

/** What a connection came to. */
export interface Outcome {
  readonly application: EchoApplication
  readonly connection: ServerConnection
  readonly frames: readonly Frame[]
  /** Bytes after the last whole frame. */
  readonly rest: number
}

/** A connection without a network. */
export function connectionOn(socket: MemorySocket, application: EchoApplication, limits: Partial<Http2Limits> = {}) {
  const all = { ...DEFAULT_LIMITS, ...limits }
  const shared: Shared = {
    application,
    limits: all,
    blocks: new PoisonedPool(),
    writes: new WriteScheduler(),
    pacer: new RequestPacer(all.maxRequestsPerTurn),
    blockReader: new BlockReader(),
  }
  return new ServerConnection(socket as unknown as Socket, shared)
}

/** The bytes are given to a connection in these pieces, and then its peer leaves. */
export async function converse(pieces: readonly Buffer[], limits: Partial<Http2Limits> = {}): Promise<Outcome> {
  const application = new EchoApplication()
  const socket = new MemorySocket()
  const connection = connectionOn(socket, application, limits)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const piece of pieces) socket.push(piece)
  // Until it has read all, and said all that it has to say about it.
  for (let [quiet, seen] = [0, -1]; quiet < 3; ) {
    await new Promise((resolve) => setImmediate(resolve))
    quiet = seen === socket.written.length && socket.readableLength === 0 ? quiet + 1 : 0
    seen = socket.written.length
  }
  socket.destroy()
  await closed
  const { frames, rest } = framesIn(Buffer.concat(socket.written))
  return { application, connection, frames, rest: rest.length }
}

/** What a peer was told on each stream, and at the end: the same however its bytes were cut. */
export function told({ frames }: Outcome): Readonly<Record<string, string>> {
  const answers: Record<string, string> = {}
  for (const { type, flags, stream, payload } of frames) {
    const before = answers[stream] ?? ''
    const end = (flags & FLAG.END_STREAM) !== 0 ? ' END' : ''
    if (type === TYPE.HEADERS) answers[stream] = `${before} headers ${payload.toString('hex')}${end}`
    if (type === TYPE.DATA) answers[stream] = `${before}${payload.toString('latin1')}${end}`
    if (type === TYPE.RST_STREAM) answers[stream] = `${before} RST ${payload.readUInt32BE()}`
    if (type === TYPE.GOAWAY) answers['goaway'] = payload.toString('latin1')
    if (type === TYPE.PING) answers['pings'] = `${answers['pings'] ?? ''} ${payload.toString('hex')}`
  }
  return answers
}

/**
 * What must hold of any conversation, however wrong the bytes were: every handler ended once; nothing was left behind; each
 * answer is of the request of its own stream, and nothing follows its end.
 */
export function flawOf({ application, connection, frames, rest }: Outcome): string | null {
  if (rest > 0) return 'the last frame is not whole'
  if (connection.streamCount > 0) return 'streams are left'
  if (application.connections.size > 0) return 'the application was not told of the end'
  const requests = new Map<number, { readonly answer: string; readonly isReleased: boolean }>()
  for (const { stream, headers, content, isReleased } of application.calls) {
    if (requests.has(stream.id)) return `two requests on stream ${stream.id}`
    requests.set(stream.id, { answer: `${stream.id} ${headers.path} ${content.toString('latin1')}`, isReleased })
    // A handler that was told to keep what came is not told that nobody asks any more, until the connection ends.
    if (!isReleased) return `the handler of stream ${stream.id} was not told of its end`
  }
  const contents = new Map<number, string>()
  const ended = new Set<number>()
  for (const { type, flags, stream, payload } of frames) {
    if (type === TYPE.RST_STREAM) ended.add(stream)
    if (type !== TYPE.DATA && type !== TYPE.HEADERS) continue
    if (ended.has(stream)) return `something follows the end of stream ${stream}`
    if ((flags & FLAG.END_STREAM) !== 0) ended.add(stream)
    if (type === TYPE.DATA) contents.set(stream, (contents.get(stream) ?? '') + payload.toString('latin1'))
  }
  for (const [stream, content] of contents) {
    const request = requests.get(stream)
    if (request === undefined ? !REFUSALS.has(content) : !request.answer.startsWith(content)) {
      return `stream ${stream} was answered with ${JSON.stringify(content)}`
    }
  }
  return null
}

/** Answers to requests that the application is not asked about. */
const REFUSALS: ReadonlySet<string> = new Set(['The header list is too long.\n', 'CONNECT is not supported.\n'])

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

/** A pool that overwrites blocks when they are given back, so that later reads of them return noise. */
export class PoisonedPool extends BlockPool {
  override giveBack(block: Buffer): void {
    block.fill(0xdd)
    super.giveBack(block)
  }
}

/** The socket of a connection in memory. As with a real socket, the writer may reuse a buffer after the callback of its write. */
export class MemorySocket extends Duplex {
  readonly written: Buffer[] = []
  /** Completes the write that was made while `isSlow`. */
  taken: (() => void) | null = null
  /** Completes a write only when `taken` is called. */
  isSlow = false

  override _read(): void {
    // The test pushes all bytes.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(Buffer.from(chunk))
    if (this.isSlow) this.taken = done
    else done()
  }
}

/** The result of a conversation. */
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

/** Passes the bytes to a connection in these pieces, then closes it. */
export async function converse(pieces: readonly Buffer[], limits: Partial<Http2Limits> = {}): Promise<Outcome> {
  const application = new EchoApplication()
  const socket = new MemorySocket()
  const connection = connectionOn(socket, application, limits)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const piece of pieces) socket.push(piece)
  // Until the connection has read all bytes and written all answers.
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

/** The answers on each stream and the GOAWAY, which must be the same for every split of the bytes. */
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
 * Checks the invariants of every conversation, valid or not: every handler ended once; no stream is left; each
 * answer belongs to the request of its own stream, and nothing follows its end. Returns the violation.
 */
export function flawOf({ application, connection, frames, rest }: Outcome): string | null {
  if (rest > 0) return 'the last frame is not whole'
  if (connection.streamCount > 0) return 'streams are left'
  if (application.connections.size > 0) return 'the application was not told of the end'
  const requests = new Map<number, { readonly answer: string; readonly isReleased: boolean }>()
  for (const { stream, headers, content, isReleased } of application.calls) {
    if (requests.has(stream.id)) return `two requests on stream ${stream.id}`
    requests.set(stream.id, { answer: `${stream.id} ${headers.path} ${content.toString('latin1')}`, isReleased })
    // The connection has ended, so every handler must have ended.
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

/** Answers to requests that do not reach the application. */
const REFUSALS: ReadonlySet<string> = new Set(['The header list is too long.\n', 'CONNECT is not supported.\n'])

import type {
  HeaderList,
  Http2Application,
  Http2Connection,
  Http2Stream,
  RequestHeaders,
  StreamHandler,
} from '../../../src/transports/http2/application.ts'
import { encodeBlock } from '../../../src/transports/http2/hpack/encoder.ts'
import { HeaderField } from '../../../src/transports/http2/hpack/header-field.ts'

const ANSWER = encodeBlock([new HeaderField(':status', '200'), new HeaderField('content-type', 'text/plain')])
/** A long header. */
export const BARE_BYTES = 4_000
const BARE = encodeBlock([new HeaderField(':status', '200'), new HeaderField('long', '{'.repeat(BARE_BYTES))])
const TRAILERS = encodeBlock([new HeaderField('answer-is', 'complete')])

/**
 * Answers each request with its path and content: `/now` as soon as it begins, `/later` after a turn of the event loop,
 * and `/never` never. `/bare` is answered with a long header alone. `/hoard` keeps the content without giving credit.
 * `/send/<bytes>` is answered with that many bytes, in pieces, as fast as they are read. Every other request is
 * answered when it ends.
 */
export class EchoApplication implements Http2Application {
  readonly calls: EchoCall[] = []
  readonly connections = new Set<Http2Connection>()
  opened(connection: Http2Connection): void {
    this.connections.add(connection)
  }

  closed(connection: Http2Connection): void {
    if (!this.connections.delete(connection)) throw new Error('a connection closed that had not opened')
  }

  request(stream: Http2Stream, headers: RequestHeaders, endStream: boolean): StreamHandler {
    const call = new EchoCall(stream, headers)
    this.calls.push(call)
    call.begin(endStream)
    return call
  }

  call(path: string): EchoCall {
    const found = this.calls.find(({ headers }) => headers.path === path)
    if (found === undefined) throw new Error(`no request of ${path}`)
    return found
  }
}

export class EchoCall implements StreamHandler {
  readonly stream: Http2Stream
  readonly headers: RequestHeaders
  readonly chunks: Buffer[] = []
  /** The received views, not copied. */
  readonly views: Buffer[] = []
  readonly events: string[] = []
  trailersOf: HeaderList | null = null
  isReleased = false
  #left = 0

  constructor(stream: Http2Stream, headers: RequestHeaders) {
    this.stream = stream
    this.headers = headers
  }

  get content(): Buffer {
    return Buffer.concat(this.chunks)
  }

  begin(endStream: boolean): void {
    this.events.push(endStream ? 'request, complete' : 'request')
    const { path } = this.headers
    if (path === '/now') this.answer()
    else if (path === '/bare') {
      this.stream.respond(BARE, null, null)
      this.release()
    } else if (path.startsWith('/send/')) {
      this.#left = Number(path.slice('/send/'.length))
      this.stream.sendHeaders(ANSWER, false)
      this.#send()
    } else if (endStream) this.#complete()
  }

  data(chunk: Buffer, endStream: boolean): void {
    this.events.push(endStream ? 'data, complete' : 'data')
    this.views.push(chunk)
    this.chunks.push(Buffer.from(chunk))
    if (this.headers.path !== '/hoard') this.stream.consumed(chunk.length)
    if (endStream) this.#complete()
  }

  trailers(headers: HeaderList): void {
    this.events.push('trailers')
    this.trailersOf = headers
    this.#complete()
  }

  aborted(code: number): void {
    this.events.push(`aborted ${code}`)
    this.release()
  }

  drained(): void {
    this.events.push('drained')
    this.#send()
  }

  answer(): void {
    const content = [Buffer.from(`${this.stream.id} ${this.headers.path} `), ...this.chunks]
    this.stream.respond(ANSWER, content, TRAILERS)
    this.release()
  }

  release(): void {
    if (this.isReleased) throw new Error('released twice')
    this.isReleased = true
    this.stream.released()
  }

  #complete(): void {
    const { path } = this.headers
    if (path === '/never' || path.startsWith('/send/')) return
    if (path === '/later') setImmediate(() => this.isReleased || this.answer())
    else if (!this.isReleased) this.answer()
  }

  #send(): void {
    while (this.#left > 0) {
      const piece = Buffer.alloc(Math.min(this.#left, 10_000), 's')
      this.#left -= piece.length
      if (!this.stream.sendData([piece], false)) return
    }
    this.stream.sendTrailers(TRAILERS)
    this.release()
  }
}

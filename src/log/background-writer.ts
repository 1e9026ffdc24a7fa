import { writeSync } from 'node:fs'
import { pino } from 'pino'

const STDERR = 2
/** Writes of several processes to one pipe are interleaved only if they are longer than this: `PIPE_BUF` in pipe(7). */
const SHARED_PIECE_BYTES = 4_096
/** Each write is handed to another thread, which takes 50 µs or more: as much as a call. */
const PIECE_BYTES = 32_768
const FLUSH_EVERY_MS = 200
/** At the end of the process: how often, and how long each time, to wait for a full pipe. */
const MOST_TRIES = 100
const RETRY_MS = 10
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

/** Writes to standard error in the background, and flushes the rest when the process ends. */
export class BackgroundWriter {
  readonly #destination: ReturnType<typeof pino.destination>
  readonly #pieceBytes: number
  /** Lines are joined here, because the destination measures and copies each piece. */
  #lines = ''

  /** `shared`: other processes write to the same pipe. */
  constructor(shared: boolean) {
    this.#pieceBytes = shared ? SHARED_PIECE_BYTES : PIECE_BYTES
    this.#destination = pino.destination({ dest: STDERR, sync: false, minLength: 1, maxWrite: this.#pieceBytes })
    // A closed standard error must not end the service.
    this.#destination.on('error', () => undefined)
    setInterval(() => {
      this.#handOver()
      this.#destination.flush()
    }, FLUSH_EVERY_MS).unref()
    process.once('exit', () => this.flush())
  }

  write(line: string): void {
    if (this.#lines.length + line.length > this.#pieceBytes) this.#handOver()
    this.#lines += line
  }

  flush(): void {
    try {
      this.#destination.flushSync()
      // A background write could be cut off by the end of the process.
      writeNow(this.#lines)
      this.#lines = ''
    } catch {
      // There is no other place to write to.
    }
  }

  #handOver(): void {
    if (this.#lines === '') return
    this.#destination.write(this.#lines)
    this.#lines = ''
  }
}

/** Writes all of the text before it returns, as long as the reader keeps reading. */
function writeNow(text: string): void {
  let rest = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < MOST_TRIES; ) {
    try {
      rest = rest.subarray(writeSync(STDERR, rest))
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
      // The pipe is full.
      tries += 1
      Atomics.wait(SLEEPER, 0, 0, RETRY_MS)
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null
}

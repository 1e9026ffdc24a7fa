import { writeSync } from 'node:fs'
import { pino } from 'pino'

const STDERR = 2
/** What processes write to one pipe mixes only in pieces longer than this: `PIPE_BUF` in pipe(7). */
const SHARED_PIECE_BYTES = 4_096
/** Each piece is handed to another thread, which costs 50 µs and more: as much as a call. */
const PIECE_BYTES = 32_768
const FLUSH_EVERY_MS = 200
/** At the end, a pipe that is full is waited for this often, for so long. */
const MOST_TRIES = 100
const RETRY_MS = 10
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

/** Writes to standard error in the background, and what is left when the process ends. */
export class BackgroundWriter {
  readonly #destination: ReturnType<typeof pino.destination>
  readonly #pieceBytes: number
  /** Joined here: the destination measures and copies each piece that it is given. */
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
      // Handed over, they would be written in the background, where the end of the process overtakes them.
      writeNow(this.#lines)
      this.#lines = ''
    } catch {
      // Nowhere is left to write to.
    }
  }

  #handOver(): void {
    if (this.#lines === '') return
    this.#destination.write(this.#lines)
    this.#lines = ''
  }
}

/** Writes all of it before it returns, for as long as somebody reads it. */
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

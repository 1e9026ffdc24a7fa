import type { Logger } from '../context.ts'

/**
 * At most one line in this time, in milliseconds: an accept that fails, for example without free file descriptors, fails
 * again at once.
 */
const LINE_EVERY_MS = 10_000

/** Logs the errors of a listening server. They do not stop the server: a connection that failed concerns only its peer. */
export class ListenerErrors {
  readonly #port: string
  readonly #log: Logger
  #lastLineAt = Number.NEGATIVE_INFINITY
  /** The number of errors since the last line. */
  #unlogged = 0

  /** `port`: the name of the port in the log. */
  constructor(port: string, log: Logger) {
    this.#port = port
    this.#log = log
  }

  readonly note = (error: Error): void => {
    const now = performance.now()
    if (now - this.#lastLineAt < LINE_EVERY_MS) {
      this.#unlogged += 1
      return
    }
    this.#log.error({ err: error, port: this.#port, unlogged: this.#unlogged }, 'a connection could not be accepted')
    this.#lastLineAt = now
    this.#unlogged = 0
  }
}

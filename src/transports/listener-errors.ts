import type { Logger } from '../context.ts'

/** A line at most this often: an accept that fails, for want of file descriptors say, fails again at once. */
const LINE_EVERY_MS = 10_000

/** Logs the errors of a server that listens. They end nothing: a connection that could not be had concerns its peer only. */
export class ListenerErrors {
  readonly #port: string
  readonly #log: Logger
  #lastLineAt = Number.NEGATIVE_INFINITY
  /** Those since the last line. */
  #unlogged = 0

  /** `port`: what it is called in the log. */
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

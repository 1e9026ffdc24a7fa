import type { ServerHost } from '../../../domain/server-url.ts'
import { DatabaseError } from '../core/database-error.ts'
import { diagnosticRows } from '../diagnostics.ts'
import type { ServerDriver, ServerTarget } from './driver.ts'
import { openConnection } from './open-connection.ts'

/**
 * Tells a slow statement from one whose connection is dead: a firewall that forgot
 * the connection, or a host that lost its power, leaves the socket open and answers
 * nothing. Another connection asks the server which sessions are at work; those who
 * ask at the same time share the answer.
 */
export class SessionWatch {
  readonly #driver: ServerDriver
  readonly #target: ServerTarget
  readonly #asked = new Map<ServerHost, Promise<ReadonlySet<string> | null>>()

  constructor(driver: ServerDriver, target: ServerTarget) {
    this.#driver = driver
    this.#target = { ...target, multiStatements: false }
  }

  /** Whether the server may still be at work for this session; `false` if it is not, or cannot be reached. */
  async isAtWork(host: ServerHost, session: string): Promise<boolean> {
    let asked = this.#asked.get(host)
    if (asked === undefined) {
      asked = this.#ask(host).finally(() => this.#asked.delete(host))
      this.#asked.set(host, asked)
    }
    const atWork = await asked
    return atWork === null || atWork.has(session)
  }

  /** `null`: the server is there, but does not answer this question. */
  async #ask(host: ServerHost): Promise<ReadonlySet<string> | null> {
    try {
      const { connection } = await openConnection(this.#driver, this.#target, host)
      // What is destroyed fails as lost.
      const timer = setTimeout(() => connection.destroy(), this.#target.settings.connectTimeoutMs)
      try {
        const rows = await diagnosticRows(({ sql }) => connection.query(sql), this.#driver.sessionsAtWork)
        return new Set(rows.map((row) => row.get('id') ?? ''))
      } finally {
        clearTimeout(timer)
        connection.destroy()
      }
    } catch (error) {
      const isAway = error instanceof DatabaseError && error.kind === 'lost'
      return isAway ? new Set() : null
    }
  }
}

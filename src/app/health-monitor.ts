import type { Logger } from '../context.ts'
import { messageOf } from '../message-of.ts'
import type { App } from './app.ts'
import { issuerRuleProblems } from './trust/issuer-problems.ts'

/**
 * Checks the database while the server runs. The health of the server follows the checks. The log states when it stops
 * serving, why, and when it serves again. A check can take longer than the interval if a write waits. The host of the reads
 * is still checked in each interval, so that a host that lost its cluster is left in time.
 */
export class HealthMonitor {
  readonly #app: App
  readonly #log: Logger
  readonly #intervalMs: number
  /** Whether the database was reached once and its content was examined. */
  #examined = false
  /** The last logged problem. `null`: the server is serving. */
  #problem: string | null = null
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #checking = false
  #looking = false

  /** `intervalMs`: the time between the starts of two checks. */
  constructor(app: App, log: Logger, intervalMs: number) {
    this.#app = app
    this.#log = log
    this.#intervalMs = intervalMs
  }

  /** Resolves after the first check. Throws if the keyring does not match the database: the server must not start. */
  async start(): Promise<void> {
    await this.#check()
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#schedule()
      void this.#look()
    }, this.#intervalMs).unref()
  }

  async #look(): Promise<void> {
    try {
      if (!this.#checking) await this.#check()
      else if (!this.#looking) await this.#checkReads()
    } catch (error) {
      this.#report(messageOf(error))
      this.#app.state.setServing(false)
    }
  }

  async #checkReads(): Promise<void> {
    this.#looking = true
    try {
      await this.#app.backend.checkReads()
    } finally {
      this.#looking = false
    }
  }

  async #check(): Promise<void> {
    this.#checking = true
    try {
      await this.#checkAll()
    } finally {
      this.#checking = false
    }
  }

  async #checkAll(): Promise<void> {
    const health = await this.#app.backend.check()
    if (health.serving && !this.#examined) {
      await this.#examine()
      this.#examined = true
    }
    if (health.serving) await this.#app.clock?.compare()
    if (health.serving) await this.#app.revocationKeyUse.note()
    this.#report(health.serving ? null : health.problem)
    this.#app.state.setServing(health.serving)
  }

  /** The examinations that run once, when the database is first reached. */
  async #examine(): Promise<void> {
    const { backend, trustedIssuers } = this.#app
    await this.#app.checkKeys()
    for (const { name, value, warning } of await backend.diagnostics()) {
      if (warning !== null) this.#log.warn({ name, value }, `database ${name}: ${value}; ${warning}`)
    }
    for (const { text, advice } of await issuerRuleProblems(trustedIssuers, backend, this.#log)) {
      this.#log.warn({ advice }, text)
    }
  }

  #report(problem: string | null): void {
    if (problem === this.#problem) return
    if (problem !== null) this.#log.error({ problem }, `not serving: ${problem}`)
    else this.#log.info({}, 'serving again')
    this.#problem = problem
  }
}

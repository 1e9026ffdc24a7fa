import type { Logger } from '../context.ts'
import { messageOf } from '../message-of.ts'
import type { App } from './app.ts'
import { issuerRuleProblems, RULE_ADVICE } from './trusted-issuers.ts'

const CHECK_INTERVAL_MS = 1_000

/**
 * Checks the database for as long as the server runs: the health of the server
 * follows it, and the log says when it stops serving, why, and when it serves again.
 */
export class HealthMonitor {
  readonly #app: App
  readonly #log: Logger
  /** Whether the database was reached once and what it holds was examined. */
  #examined = false
  /** What was logged last; `null`: the server is serving. */
  #problem: string | null = null
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(app: App, log: Logger) {
    this.#app = app
    this.#log = log
  }

  /** Resolves after the first check. Throws if the keyring does not fit the database: the server must not start then. */
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
    this.#timer = setTimeout(() => void this.#checkSafely().then(() => this.#schedule()), CHECK_INTERVAL_MS).unref()
  }

  async #checkSafely(): Promise<void> {
    try {
      await this.#check()
    } catch (error) {
      this.#report(messageOf(error))
      this.#app.state.setServing(false)
    }
  }

  async #check(): Promise<void> {
    const health = await this.#app.backend.check()
    if (health.serving && !this.#examined) {
      await this.#examine()
      this.#examined = true
    }
    this.#report(health.serving ? null : health.problem)
    this.#app.state.setServing(health.serving)
  }

  /** What only has to be examined once, when the database is reached for the first time. */
  async #examine(): Promise<void> {
    const { backend, trustedIssuers } = this.#app
    await this.#app.checkKeys()
    for (const { name, value, warning } of await backend.diagnostics()) {
      if (warning !== null) this.#log.warn({ name, value }, `the database's ${name} is ${value}: ${warning}`)
    }
    for (const problem of await issuerRuleProblems(trustedIssuers, backend, this.#log)) {
      this.#log.warn({ advice: RULE_ADVICE }, problem)
    }
  }

  #report(problem: string | null): void {
    if (problem === this.#problem) return
    if (problem !== null) this.#log.error({ problem }, `not serving: ${problem}`)
    else this.#log.info({}, 'serving again')
    this.#problem = problem
  }
}

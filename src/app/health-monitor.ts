import type { Log } from '../log/create-log.ts'
import { messageOf } from '../message-of.ts'
import type { App } from './app.ts'
import { issuerRuleFindings } from './doctor/examine-issuers.ts'

const EVERY_MS = 1_000

export interface HealthMonitor {
  stop(): void
}

/**
 * Looks after the database for as long as the server runs: health follows it,
 * and the log says when it goes, why, and when it is back. The first look is
 * over when this resolves; trouble with the keyring then stops the start.
 */
export async function monitorHealth(app: App, log: Log): Promise<HealthMonitor> {
  let examined = false
  let reported: string | null = null
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const report = (problem: string | null) => {
    if (problem === reported) return
    if (problem !== null) log.error({ problem }, `not serving: ${problem}`)
    else log.info({}, 'serving again')
    reported = problem
  }
  const look = async () => {
    const health = await app.backend.check()
    if (health.serving && !examined) {
      await app.checkKeys()
      for (const { name, value, warning: concern } of await app.backend.diagnostics()) {
        if (concern !== null) log.warn({ name, value }, `the database's ${name} is ${value}: ${concern}`)
      }
      for (const { finding, advice } of await issuerRuleFindings(app, log)) log.warn({ advice }, finding)
      examined = true
    }
    report(health.serving ? null : health.problem)
    app.state.setServing(health.serving)
  }
  const lookAgain = async () => {
    try {
      await look()
    } catch (error) {
      report(messageOf(error))
      app.state.setServing(false)
    }
    schedule()
  }
  const schedule = () => {
    if (!stopped) timer = setTimeout(() => void lookAgain(), EVERY_MS).unref()
  }

  await look()
  schedule()
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

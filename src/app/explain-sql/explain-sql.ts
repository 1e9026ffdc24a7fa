import type { Config } from '../../config/config.ts'
import type { Logger } from '../../context.ts'
import { drawKeyMaterial, Keyring } from '../../crypto/keyring.ts'
import type { ExplainedStatement, StatementObserver } from '../../stores/contract/statement-plans.ts'
import { type App, openApp } from '../app.ts'
import { openConfiguredRolledBack } from '../database.ts'
import { BACKGROUND_STEPS } from './background-steps.ts'
import { CLIENT_STEPS, LAST_CLIENT_STEPS } from './client-steps.ts'
import { GRANT_STEPS } from './grant-steps.ts'
import { AUDIT_STEPS, KEY_STEPS } from './key-and-audit-steps.ts'
import { Scene } from './scene.ts'
import type { Step } from './step.ts'
import { TOKEN_STEPS } from './token-steps.ts'
import { TRUST_STEPS } from './trust-steps.ts'
import { DEVICE_STEPS, LAST_USER_STEPS, USER_STEPS } from './user-and-device-steps.ts'

/** Each step finds what it needs in this order. */
export const STEPS: readonly Step[] = [
  ...CLIENT_STEPS,
  ...USER_STEPS,
  ...BACKGROUND_STEPS,
  ...GRANT_STEPS,
  ...DEVICE_STEPS,
  ...TOKEN_STEPS,
  ...AUDIT_STEPS,
  ...KEY_STEPS,
  ...TRUST_STEPS,
  ...LAST_USER_STEPS,
  ...LAST_CLIENT_STEPS,
]

/** The names that can be explained: all flows, and related background work. */
export function explainableNames(): readonly string[] {
  return [...new Set(STEPS.map(({ name }) => name))].toSorted()
}

/** The statements of one call. */
export interface ExplainedCall {
  readonly name: string
  readonly variant: string | null
  readonly statements: readonly ExplainedStatement[]
}

/**
 * Explains each statement that flows send to the configured database. The flows run on samples that earlier flows create, in
 * one transaction that is rolled back, up to the last wanted flow. The keys are generated in this process, so no secret of
 * the database is read. `isWanted` selects flows by name.
 */
export async function explainSql(
  config: Config,
  log: Logger,
  isWanted: (name: string) => boolean,
): Promise<readonly ExplainedCall[]> {
  const recorder = new StatementRecorder()
  const app = await openApp(config, log, new Keyring(drawKeyMaterial()), {
    openDatabase: (...opened) => openConfiguredRolledBack(opened[0], opened[1], opened[2], recorder),
  })
  try {
    const health = await app.backend.check()
    if (!health.serving) throw new Error(health.problem)
    return await explainedCalls(app, log, recorder, isWanted)
  } finally {
    await app.close()
  }
}

async function explainedCalls(
  app: App,
  log: Logger,
  recorder: StatementRecorder,
  isWanted: (name: string) => boolean,
): Promise<readonly ExplainedCall[]> {
  const scene = await Scene.open(app, log)
  const calls: ExplainedCall[] = []
  const last = STEPS.findLastIndex(({ name }) => isWanted(name))
  for (const { name, variant, prepare, run } of STEPS.slice(0, last + 1)) {
    await prepare?.(scene)
    if (!isWanted(name)) await run(scene)
    else calls.push({ name, variant, statements: await recorder.during(() => run(scene)) })
  }
  return calls
}

/** Records statements while they are wanted. */
class StatementRecorder implements StatementObserver {
  #statements: ExplainedStatement[] | null = null

  isWanted(): boolean {
    return this.#statements !== null
  }

  sent(statement: ExplainedStatement): void {
    this.#statements?.push(statement)
  }

  async during(work: () => Promise<void>): Promise<readonly ExplainedStatement[]> {
    const statements: ExplainedStatement[] = []
    this.#statements = statements
    try {
      await work()
      return statements
    } finally {
      this.#statements = null
    }
  }
}

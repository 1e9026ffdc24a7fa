import { backgroundCall, backgroundContext, type Logger } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { earliestActivation, type SigningAlgorithm } from '../../domain/signing-key.ts'
import { activateSigningKey } from '../../flows/keys/manage-signing-keys.ts'
import { prepareSigningKey } from '../../flows/keys/prepare-signing-key.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { Result } from '../../results.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { BackgroundJob, Lease, withJitter } from './background-job.ts'

const NAME = 'signing-key-rotation'
/** Longer than a round takes. The lease of a process that died expires after this time. */
const LEASE_MS = 60_000
const INTERVAL_MS = 60_000
/** How long before its activation a key is prepared: longer than verifiers cache the key set. */
const PREPARE_AHEAD_MS = 3_600_000

export interface KeyRotationOptions {
  readonly backend: Pick<Backend, 'reads' | 'maintenance'>
  readonly runner: FlowRunner
  readonly log: Logger
  readonly now: () => EpochMs
  readonly algorithm: SigningAlgorithm
  /** How long a key signs; `null` turns rotation off. */
  readonly periodMs: number | null
}

/** The result of a round. */
export type Rotated = 'prepared' | 'activated' | 'nothing'

/**
 * Replaces the signing key at the end of its period. It prepares the next key an hour
 * before, then activates it. A lease lets one process at a time do this. Even if two
 * processes do it at the same time, one key of the algorithm signs.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions
  readonly #lease: Lease
  readonly #job: BackgroundJob

  constructor(options: KeyRotationOptions) {
    this.#options = options
    const { log, now, backend } = options
    this.#lease = new Lease({ maintenance: backend.maintenance, name: NAME, durationMs: LEASE_MS, now })
    this.#job = new BackgroundJob({
      log,
      delayMs: () => withJitter(INTERVAL_MS),
      run: () => this.round(),
      failureMessage: 'the signing key could not be rotated; trying again',
      recoveryMessage: 'the signing key can be rotated again',
    })
  }

  /** Runs in the background until `stop`. */
  start(): void {
    if (this.#options.periodMs !== null) this.#job.start()
  }

  stop(): void {
    this.#job.stop()
  }

  /** Does the step that is due; `null` if another process holds the lease or rotation is off. Throws the error of a failed step. */
  async round(): Promise<Rotated | null> {
    const { periodMs } = this.#options
    if (periodMs === null || !(await this.#lease.acquire())) return null
    try {
      return await this.#rotate(periodMs)
    } finally {
      await this.#lease.release()
    }
  }

  async #rotate(periodMs: number): Promise<Rotated> {
    const { backend, runner, log, now, algorithm } = this.#options
    const ctx = backgroundCall(NAME, backgroundContext(uuidV7(), log, now()))
    const keys = (await backend.reads.signingKeys.published(ctx)).filter((key) => key.algorithm === algorithm)
    const active = keys.find(({ state }) => state === 'active')
    // The first key is created with the first signed token.
    if (active === undefined) return 'nothing'
    const due = (active.activatedAt ?? active.preparedAt) + periodMs
    const next = keys.find(({ state }) => state === 'prepared')
    if (next === undefined) {
      if (ctx.now < due - PREPARE_AHEAD_MS) return 'nothing'
      assertSucceeded(await runner.execute(prepareSigningKey, ctx, { algorithm }))
      log.info({ rayId: ctx.rayId, algorithm }, 'next signing key prepared')
      return 'prepared'
    }
    if (ctx.now < Math.max(due, earliestActivation(next))) return 'nothing'
    assertSucceeded(await runner.execute(activateSigningKey, ctx, { keyId: next.keyId }))
    log.info({ rayId: ctx.rayId, algorithm, keyId: next.keyId }, 'next signing key activated')
    return 'activated'
  }
}

function assertSucceeded(result: Result<unknown>): void {
  if (!result.ok) throw new Error(`refused with ${result.code}`)
}

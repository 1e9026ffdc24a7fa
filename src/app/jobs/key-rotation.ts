import { jitter, uuidV7 } from '../../crypto/random.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import { earliestActivation, type SigningAlgorithm } from '../../domain/signing-key.ts'
import { activateSigningKey } from '../../flows/keys/manage-signing-keys.ts'
import { prepareSigningKey } from '../../flows/keys/prepare-signing-key.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { Logger } from '../../logger.ts'
import type { Result } from '../../results.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { backgroundCall } from '../background-call.ts'
import { type Repetition, repeat } from './repeat.ts'

const NAME = 'signing-key-rotation'
/** Longer than a round takes; a dead holder's lease is free after this. */
const LEASE_MS = 60_000
const EVERY_MS = 60_000
/** So long before its turn a key is prepared: more than others keep the key set. */
const AHEAD_MS = 3_600_000

export interface KeyRotationOptions {
  readonly backend: Pick<Backend, 'reads' | 'maintenance'>
  readonly runner: FlowRunner
  readonly log: Logger
  readonly now: () => EpochMs
  readonly algorithm: SigningAlgorithm
  /** How long a key signs; `null`: `start` begins nothing. */
  readonly periodMs: number | null
}

/** What a round did. */
export type Rotated = 'prepared' | 'activated' | 'nothing'

/**
 * Replaces the key that signs when its time is over: prepares the next one an
 * hour before, and activates it. One process at a time looks after it; whatever
 * two of them did at once, one key of the algorithm signs.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions
  readonly #holder = uuidV7()
  #repetition: Repetition | null = null

  constructor(options: KeyRotationOptions) {
    this.#options = options
  }

  /** Works in the background until `stop`. */
  start(): void {
    const { periodMs, log } = this.#options
    if (periodMs === null) return
    let failing = false
    this.#repetition = repeat(
      () => EVERY_MS * (0.8 + 0.4 * jitter()),
      async () => {
        try {
          await this.round()
          failing = false
        } catch (error) {
          if (!failing) log.warn({ err: error }, 'the signing key could not be rotated; trying again')
          failing = true
        }
      },
    )
  }

  stop(): void {
    this.#repetition?.stop()
  }

  /** Does what is due now; `null`: another process is at it, or rotation is off. Throws what failed. */
  async round(): Promise<Rotated | null> {
    const { backend, now, periodMs } = this.#options
    if (periodMs === null) return null
    const { maintenance } = backend
    const begun = now()
    if (!(await maintenance.acquireLease(NAME, this.#holder, begun, epochMs(begun + LEASE_MS)))) return null
    try {
      return await this.#rotate(periodMs)
    } finally {
      const ended = now()
      await maintenance.acquireLease(NAME, this.#holder, ended, ended)
    }
  }

  async #rotate(periodMs: number): Promise<Rotated> {
    const { backend, runner, log, now, algorithm } = this.#options
    const ctx = backgroundCall(NAME, log, now())
    const keys = (await backend.reads.signingKeys.published(ctx)).filter((key) => key.algorithm === algorithm)
    const active = keys.find(({ state }) => state === 'active')
    // The first key is made for the first token that needs one.
    if (active === undefined) return 'nothing'
    const due = (active.activatedAt ?? active.preparedAt) + periodMs
    const next = keys.find(({ state }) => state === 'prepared')
    if (next === undefined) {
      if (ctx.now < due - AHEAD_MS) return 'nothing'
      insistOn(await runner.execute(prepareSigningKey, ctx, { algorithm }))
      log.info({ rayId: ctx.rayId, algorithm }, 'the next signing key is prepared')
      return 'prepared'
    }
    if (ctx.now < Math.max(due, earliestActivation(next))) return 'nothing'
    insistOn(await runner.execute(activateSigningKey, ctx, { keyId: next.keyId }))
    log.info({ rayId: ctx.rayId, algorithm, keyId: next.keyId }, 'the next signing key is active')
    return 'activated'
  }
}

function insistOn(result: Result<unknown>): void {
  if (!result.ok) throw new Error(`refused with ${result.code}`)
}

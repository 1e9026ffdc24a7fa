import { BoundedMap } from '../../bounded-map.ts'
import type { CallContext } from '../../context.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { RawToken } from '../../domain/ids.ts'
import { REPLACEMENT_LIFETIME, replaceBearer } from '../../flows/grants/replace-bearer.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import { type Result, success } from '../../results.ts'

/** A JWT has 8 KiB at most, so these take 32 MiB at the very most. */
const MAX_KEPT = 4_096

interface Kept {
  readonly value: RawToken
  /** When the next one is issued, in milliseconds since 1970. */
  readonly renewAt: number
}

/**
 * The JWTs that replace bearer tokens. One serves all requests with the same bearer token for the same audience, until half of
 * its life is over: so each bearer token costs a mint or two in a minute, however many requests come with it.
 */
export class Replacements {
  readonly #runner: FlowRunner
  readonly #kept = new BoundedMap<string, Kept>(MAX_KEPT)
  readonly #underway = new Map<string, Promise<Result<RawToken>>>()

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  /** The replacement of a bearer token that was verified in this call. */
  async of(ctx: CallContext, subject: AccessToken, audience: string): Promise<Result<RawToken>> {
    const key = `${subject.tokenId} ${audience}`
    const kept = this.#kept.get(key)
    if (kept !== undefined && ctx.now < kept.renewAt) return success(kept.value)
    const underway = this.#underway.get(key)
    if (underway !== undefined) {
      // One that fails may fail for its own call, whose caller waits no longer: it says so there, and is not shared.
      const shared = await underway.catch(() => null)
      if (shared?.ok) return shared
    }
    const issued = this.#issue(ctx, key, subject, audience)
    this.#underway.set(key, issued)
    return await issued.finally(() => {
      if (this.#underway.get(key) === issued) this.#underway.delete(key)
    })
  }

  async #issue(ctx: CallContext, key: string, subject: AccessToken, audience: string): Promise<Result<RawToken>> {
    const replaced = await this.#runner.execute(replaceBearer, ctx, { tokenId: subject.tokenId, audience })
    if (!replaced.ok) return replaced
    const { token, value } = replaced.value
    // One that lives as long as its bearer token cannot be had for longer.
    const half = token.expiresAt < subject.expiresAt ? REPLACEMENT_LIFETIME / 2 : 0
    this.#kept.set(key, { value, renewAt: token.expiresAt - half })
    return success(value)
  }
}

import { BoundedMap } from '../../bounded-map.ts'
import type { CallContext } from '../../context.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { RawToken } from '../../domain/ids.ts'
import { REPLACEMENT_LIFETIME, replaceBearer } from '../../flows/grants/replace-bearer.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import { type Result, success } from '../../results.ts'

/** A JWT has at most 8 KiB, so the cache takes at most 32 MiB. */
const MAX_KEPT = 4_096

interface Kept {
  readonly value: RawToken
  /** When to issue the next one, in milliseconds since 1970. */
  readonly renewAt: number
}

/**
 * Caches the JWTs that replace bearer tokens. Requests with the same bearer token for the same audience share one until half
 * of its life is over. A bearer token therefore causes one or two mints a minute, however many requests carry it.
 */
export class Replacements {
  readonly #runner: FlowRunner
  readonly #kept = new BoundedMap<string, Kept>(MAX_KEPT)
  readonly #underway = new Map<string, Promise<Result<RawToken>>>()

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  /** The replacement for a bearer token that this call has verified. */
  async of(ctx: CallContext, subject: AccessToken, audience: string): Promise<Result<RawToken>> {
    const key = `${subject.tokenId} ${audience}`
    const kept = this.#kept.get(key)
    if (kept !== undefined && ctx.now < kept.renewAt) return success(kept.value)
    const underway = this.#underway.get(key)
    if (underway !== undefined) {
      // Another call's failure may be specific to that call, for example its deadline. It is not shared.
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
    // If it ends with the bearer token, a new one would not live longer.
    const half = token.expiresAt < subject.expiresAt ? REPLACEMENT_LIFETIME / 2 : 0
    this.#kept.set(key, { value, renewAt: token.expiresAt - half })
    return success(value)
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext } from '../context.ts'

/** Longer than a look-up and a commit take, save on a server in trouble. */
const PACE_MS = 100

/**
 * Answers no earlier than a set time after the work began, in milliseconds, or a
 * multiple of it where the work takes longer: so long work tells no more than how many
 * times the pace it took. A caller that leaves is waited for no longer. Once the work is
 * done the call leaves its admission: others at its address do not wait for the pace.
 */
export async function inUniformTime<T>(
  ctx: Pick<CallContext, 'signal' | 'leaveAdmission'>,
  work: () => Promise<T>,
): Promise<T> {
  const begun = performance.now()
  const answer = await work()
  ctx.leaveAdmission?.()
  const spent = performance.now() - begun
  const rest = Math.ceil(Math.max(spent, 1) / PACE_MS) * PACE_MS - spent
  await sleep(rest, undefined, { signal: ctx.signal }).catch((error: unknown) => {
    if (!ctx.signal.aborted) throw error
  })
  return answer
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext } from '../context.ts'

/** Longer than a look-up and a commit usually take. */
const PACE_MS = 100

/**
 * Answers at a multiple of a fixed time after the start, in milliseconds. The duration of long work therefore reveals only
 * the multiple. A cancelled call is not waited for. When the work is done, the call leaves its admission, so that other calls
 * of its address do not wait.
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

import type { CallContext, Caller } from '../context.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { Logger } from '../logger.ts'
import { success } from '../results.ts'

/** A call that the process makes of its own accord; `name` says in the audit log what for. */
export function backgroundCall(name: string, log: Logger, now: EpochMs): CallContext {
  const caller: Caller = Object.freeze({ kind: 'system', name })
  return {
    rayId: uuidV7(),
    now,
    signal: new AbortController().signal,
    deadline: null,
    log,
    caller,
    reauthenticate: async () => success(caller),
    peer: 'local',
    certificate: null,
  }
}

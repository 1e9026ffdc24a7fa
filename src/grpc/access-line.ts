import type { Caller } from '../context.ts'
import { registry } from '../errors/registry.ts'
import type { Logger } from '../logger.ts'
import type { FailedResult } from '../results.ts'
import type { CallOrigin } from './call-origin.ts'

/** The one line at `info` that every call leaves. */
export function startAccessLine(log: Logger, method: string, origin: CallOrigin) {
  const begun = performance.now()
  let failure: FailedResult | null = null
  return {
    /** Notes how the call fails, and hands the failure on. */
    failed: (failed: FailedResult): FailedResult => {
      failure = failed
      return failed
    },
    end: (caller: Caller): void => {
      log.info(
        {
          rayId: origin.rayId,
          method,
          code: origin.interruption() ?? (failure === null ? 'OK' : registry[failure.code].status),
          ...(failure === null ? {} : { reason: failure.code }),
          durationMs: Math.round((performance.now() - begun) * 1000) / 1000,
          peer: origin.peer,
          ...clientOf(caller),
        },
        'call',
      )
    },
  }
}

function clientOf(caller: Caller): { readonly clientId?: string; readonly operator?: true } {
  switch (caller.kind) {
    case 'anonymous':
    case 'system':
      return {}
    case 'client':
      return { clientId: caller.client.clientId }
    case 'bearer':
      return { clientId: caller.clientId }
    case 'operator':
      return { operator: true }
    default:
      return caller satisfies never
  }
}

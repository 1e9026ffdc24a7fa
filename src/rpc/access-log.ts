import type { Caller } from '../context.ts'
import { registry } from '../errors/registry.ts'
import type { Logger } from '../logger.ts'
import type { FailedResult } from '../results.ts'
import type { CallEnded, CallInfo } from './call-info.ts'
import type { MethodObserver } from './call-observer.ts'

/** The one line at `info` that every call leaves; the method's observer is told the same. */
export function startAccessLog(
  log: Logger,
  { path, observer }: { readonly path: string; readonly observer: MethodObserver | null },
  info: CallInfo,
) {
  const begun = performance.now()
  const span = observer?.begun(info)
  let failure: FailedResult | null = null
  return {
    span,
    /** Notes how the call fails, and hands the failure on. */
    failed: (failed: FailedResult): FailedResult => {
      failure = failed
      return failed
    },
    end: (caller: Caller, interruption: CallEnded['kind'] | null): void => {
      const code = interruption ?? (failure === null ? 'OK' : registry[failure.code].status)
      const reason = failure === null ? null : failure.code
      const durationMs = performance.now() - begun
      observer?.ended(code, interruption === null ? reason : null, durationMs, span)
      log.info(
        {
          rayId: info.rayId,
          ...(span === undefined ? {} : { traceId: span.traceId }),
          method: path,
          code,
          ...(reason === null ? {} : { reason }),
          ...(failure?.condition === undefined ? {} : { condition: failure.condition }),
          durationMs: Math.round(durationMs * 1000) / 1000,
          peer: info.peer,
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

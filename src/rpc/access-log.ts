import type { Caller, Logger } from '../context.ts'
import { registry } from '../errors/registry.ts'
import type { Call } from './call.ts'

/** Writes one line at `info` for every call, and reports the same to the observer of its method. */
export class AccessLog {
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  start(call: Call): void {
    call.startedAt = performance.now()
    call.span = call.method.observer?.begun(call.info)
  }

  /** `call.failure` says how it failed. */
  end(call: Call): void {
    const { method, info, span, failure, caller } = call
    const endedBy = call.endedBy()
    const code = endedBy ?? (failure === null ? 'OK' : registry[failure.code].status)
    const reason = failure === null ? null : failure.code
    const durationMs = performance.now() - call.startedAt
    method.observer?.ended(code, endedBy === null ? reason : null, durationMs, span)
    this.#log.info(
      {
        rayId: info.rayId,
        // What is undefined is left out.
        traceId: span?.traceId,
        method: method.path,
        code,
        reason: reason ?? undefined,
        condition: failure?.condition,
        durationMs: Math.round(durationMs * 1000) / 1000,
        peer: info.peer,
        clientId: clientOf(caller),
        operator: caller.kind === 'operator' ? true : undefined,
      },
      'call',
    )
  }
}

function clientOf(caller: Caller): string | undefined {
  switch (caller.kind) {
    case 'anonymous':
    case 'system':
    case 'operator':
      return undefined
    case 'client':
      return caller.client.clientId
    case 'bearer':
      return caller.clientId
    default:
      return caller satisfies never
  }
}

import type { CertificateThumbprint, PeerCertificate } from './domain/certificate.ts'
import type { Client } from './domain/client.ts'
import { type ClientId, type EpochMs, epochMs, type SecretId, type TokenId } from './domain/ids.ts'
import { type Result, success } from './results.ts'

/** Who is calling, as far as it has been proved. */
export type Caller =
  /** Nobody: no credentials were needed or none were shown. */
  | { readonly kind: 'anonymous' }
  /**
   * An OAuth client that proved itself in this call. What it is issued is bound
   * to the certificate that proved it, if one did.
   */
  | {
      readonly kind: 'client'
      readonly client: Client
      readonly certificate: CertificateThumbprint | null
      /** The secret that proved it; `null`: something else did. */
      readonly secretId: SecretId | null
    }
  /** The bearer of a management token. */
  | {
      readonly kind: 'bearer'
      readonly clientId: ClientId
      readonly tokenId: TokenId
      /** The permissions that token and registration both hold. */
      readonly permissions: ReadonlySet<string>
    }
  /** The command line, working on the database directly: holds every permission. */
  | { readonly kind: 'operator' }
  /** The service itself, of its own accord. */
  | { readonly kind: 'system'; readonly name: string }

/** What every call carries, first in every parameter list. */
export interface CallContext {
  /** Correlates logs, audit events, rows and answers: 1–128 of `[A-Za-z0-9._-]`. */
  readonly rayId: string
  /** The one reading of the clock for this call. */
  readonly now: EpochMs
  /** Aborted when the caller cancels, the deadline passes or the server gives up. Made when first read. */
  readonly signal: AbortSignal
  /**
   * Aborted when the connection of the call is asked to go: a call that lasts ends
   * then with a status of its own, before it is cut. `undefined`: it never is.
   */
  readonly connectionEnds?: AbortSignal | undefined
  /**
   * Lets other calls of the caller run from now on: for calls that only wait.
   * `undefined`: it keeps none from running.
   */
  readonly leaveAdmission?: (() => void) | undefined
  /** When the caller stops waiting; `null` if it never said. */
  readonly deadline: EpochMs | null
  readonly log: Logger
  readonly caller: Caller
  /**
   * Proves the caller again, with the same credentials at a later moment: for
   * calls that last, so that they see a rotated secret or a changed client too.
   */
  readonly reauthenticate: (now: EpochMs) => Promise<Result<Caller>>
  /** The address of the caller without its port, or `local`. */
  readonly peer: string
  /** What the caller showed in the TLS handshake with this server; `null`: nothing, or there was none. */
  readonly certificate: PeerCertificate | null
  /** The call's; `undefined`: it is not traced. */
  readonly span?: Span | undefined
}

/** How a caller is named in `created_by`, `updated_by` and the audit log; the colon cannot occur in a client id. */
export function actorOf(ctx: Pick<CallContext, 'caller' | 'peer'>): string {
  switch (ctx.caller.kind) {
    case 'anonymous':
      return `anonymous:${ctx.peer}`
    case 'client':
      return ctx.caller.client.clientId
    case 'bearer':
      return ctx.caller.clientId
    case 'operator':
      return 'operator:cli'
    case 'system':
      return `system:${ctx.caller.name}`
    default:
      return ctx.caller satisfies never
  }
}

/** What work needs of a context that no caller waits for. */
export type BackgroundContext = Pick<CallContext, 'rayId' | 'now' | 'log' | 'deadline' | 'signal'>

/** The context of work that no caller waits for: nothing cancels it, and it has no deadline. */
export function backgroundContext(rayId: string, log: Logger, now: EpochMs = epochMs(Date.now())): BackgroundContext {
  return { rayId, now, log, deadline: null, signal: new AbortController().signal }
}

/** The context of a call that the service makes itself; `name` says in the audit log what for. */
export function backgroundCall(name: string, background: BackgroundContext): CallContext {
  const caller: Caller = Object.freeze({ kind: 'system', name })
  return { ...background, caller, reauthenticate: async () => success(caller), peer: 'local', certificate: null }
}

/** The call at a later moment. */
export function atMoment<Ctx extends CallContext>(ctx: Ctx, now: EpochMs): Ctx {
  return now === ctx.now ? ctx : Object.create(ctx, { now: { value: now, enumerable: true } })
}

/** The call at a later moment, of the caller as it was authenticated again then. */
export function reauthenticatedAt(ctx: CallContext, now: EpochMs, caller: Caller): CallContext {
  return Object.create(ctx, { now: { value: now, enumerable: true }, caller: { value: caller, enumerable: true } })
}

/** What the layers need of a logger. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What is told of a span beside its name: never a secret, nor what a caller may choose freely. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>

/** A stretch of work, as traces tell it. What is not traced has none, so that every use is `span?.…`. */
export interface Span {
  /** Names the trace in log lines. */
  readonly traceId: string
  /** Begins a part of it on a database. `sharers` are others whose work it does as well; they are linked. */
  beginQuery(name: string, facts: SpanFacts, sharers?: readonly Span[]): Span
  /** Notes that something happened now. */
  note(event: string, facts: SpanFacts): void
  /** Ends it, once. `failure` names what went wrong, in a word of a closed set; `null`: nothing did. */
  end(failure: string | null, facts?: SpanFacts): void
}

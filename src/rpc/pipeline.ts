import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { AccessRule, CallAuthorizer } from '../auth/authorize-call.ts'
import type { Credentials } from '../auth/credentials.ts'
import type { Caller } from '../context.ts'
import { atMoment } from '../context.ts'
import { Deadlines } from '../deadlines.ts'
import type { EpochMs } from '../domain/ids.ts'
import { peerKey } from '../domain/peer-key.ts'
import { type ClientAuthentication, ClientAuthenticationSchema } from '../gen/qscope/v1/client_authentication_pb.ts'
import type { Logger } from '../logger.ts'
import { type FailedResult, fail, RETRY_AFTER_MS, type Result, success } from '../results.ts'
import { accessRule } from './access.ts'
import { startAccessLog } from './access-log.ts'
import { AdmissionControl, type AdmittedCall } from './admission-control.ts'
import { Call } from './call.ts'
import { CallEnded, type CallInfo } from './call-info.ts'
import type { CallObserver, MethodObserver } from './call-observer.ts'
import { type CredentialsReader, credentialsField, credentialsReader } from './credentials.ts'
import { redacted } from './redact.ts'
import { JsonRequest } from './request-limits/json-request.ts'
import {
  type EncodedRequest,
  type RequestParser,
  requestParser,
  type ScannedRequest,
} from './request-limits/request-parser.ts'
import { withRetryAdvice } from './retry-advice.ts'
import { pathOf, type Route } from './routes.ts'
import { withUniformFailureDelay } from './uniform-failure-delay.ts'
import { createRequestValidator, type RequestValidator } from './validation.ts'

const OPERATOR: Caller = Object.freeze({ kind: 'operator' })

/** The path of every call, whichever transport it came by. */
export interface Pipeline {
  readonly routes: readonly Route[]
  /**
   * Answers a unary call: a request still encoded is parsed first; one that is
   * not is used up, for its credentials are taken out of it. Accidents are logged
   * and become `oauth.server_error`.
   *
   * @throws Interruption when the handler failed because nobody waits any more.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    info: CallInfo,
    request: MessageShape<I> | EncodedRequest,
  ): Promise<Result<MessageShape<O>>>
  /** Answers with a stream; a failed item is the last. Throws as `call` does. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    info: CallInfo,
    request: MessageShape<I> | EncodedRequest,
  ): AsyncGenerator<Result<MessageShape<O>>, void, void>
}

export interface PipelineOptions {
  readonly routes: readonly Route[]
  readonly authorizer: CallAuthorizer
  readonly log: Logger
  readonly now: () => EpochMs
  readonly isDraining: () => boolean
  /** One that was made before the routes were; if not given, one is made for them. */
  readonly validator?: RequestValidator
  readonly observer?: CallObserver | undefined
}

interface Entry {
  readonly route: Route
  readonly path: string
  readonly observer: MethodObserver | null
  readonly rule: AccessRule
  readonly readCredentials: CredentialsReader
  readonly credentialsField: DescField | null
  readonly parser: RequestParser<DescMessage, typeof ClientAuthenticationSchema>
}

/** A message, and what came with it to prove who sent it. */
interface Said<I extends DescMessage> {
  readonly request: MessageShape<I> | EncodedRequest
  readonly credentials: Credentials
  /** How many things it asks for beside itself. */
  readonly items: number
}

/** @throws Error naming the method, when one lacks a sound access option. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { routes, authorizer, log, now, isDraining, observer } = options
  const validator = options.validator ?? createRequestValidator(routes.map(({ method }) => method.input))
  const admissionControl = new AdmissionControl(() => performance.now())
  const deadlines = new Deadlines()
  const entries = new Map<DescMethod, Entry>()
  for (const route of routes) {
    const { method } = route
    const rule = accessRule(method)
    const field = credentialsField(method.input)
    entries.set(method, {
      route,
      path: pathOf(method),
      observer: observer?.of(method) ?? null,
      rule,
      readCredentials: credentialsReader(field, validator),
      credentialsField: field,
      parser: requestParser(method.input, {
        emptyIsOmitted: rule.clientAuthentication,
        early: field === null ? null : { field, schema: ClientAuthenticationSchema },
      }),
    })
  }

  function entryOf(method: DescMethod): Entry {
    const entry = entries.get(method)
    if (entry === undefined) throw new Error(`${pathOf(method)} is not served`)
    return entry
  }

  /** What a call says, before anybody has looked at who says it: of its request only what proves that is decoded. */
  function read<I extends DescMessage>(
    entry: Entry,
    ctx: Call,
    request: MessageShape<I> | EncodedRequest,
  ): Result<Said<I>> {
    if (isDraining()) return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    const scanned = scan(entry, request)
    if (!scanned.ok) return scanned
    const { early, items, message } = scanned.value
    const credentials = entry.readCredentials(early, ctx.info.authorization)
    if (!credentials.ok) return credentials
    // The entry is the method's, and so is its parser.
    return success({ request: (message as MessageShape<I> | null) ?? request, credentials: credentials.value, items })
  }

  /** Waits for the call's admission, which lasts until `leaveTurn`. A failure says that there is no room to wait. */
  async function takeTurn<I extends DescMessage>(
    ctx: Call,
    { request, credentials, items }: Said<I>,
  ): Promise<Result<AdmittedCall>> {
    const { info } = ctx
    const size = { bytes: bytesOf(request), items }
    const caller = claimedBy(credentials, info)
    const queue = admissionControl.queueOf(caller, peerKey(info.peer))
    const admitted = admissionControl.admit(queue, size, () => ctx.interruption() !== null)
    const admission = typeof admitted === 'string' ? admitted : await admitted
    if (admission === 'gone') throw new CallEnded(ctx.interruption() ?? 'CANCELLED')
    if (admission === 'full') return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    ctx.turn = { caller, queue, size }
    return success(ctx.turn)
  }

  function leaveTurn(ctx: Call): void {
    if (ctx.turn === null) return
    admissionControl.release(ctx.turn.queue, ctx.turn.size)
    ctx.turn = null
  }

  /** All that comes before the handler. Who calls is judged before what is asked, so that strangers learn nothing. */
  async function admit<I extends DescMessage>(
    entry: Entry,
    ctx: Call,
    input: I,
    received: MessageShape<I> | EncodedRequest,
  ): Promise<Result<MessageShape<I>>> {
    const said = read<I>(entry, ctx, received)
    if (!said.ok) return said
    const { request: encoded, credentials } = said.value
    const admitted = await takeTurn(ctx, said.value)
    if (!admitted.ok) return admitted
    const admission = admitted.value
    const caller = await authorize(entry, ctx, credentials)
    if (!caller.ok) return caller
    if (admission.caller !== null && hasShownProof(caller.value))
      admissionControl.proved(admission.caller, admission.queue)
    ctx.caller = caller.value
    ctx.reauthenticate = (at) => authorize(entry, ctx, credentials, at)
    const decoded = isEncoded(encoded) ? entry.parser.decode(encoded) : success(encoded)
    if (!decoded.ok) return decoded
    // The entry is the method's, and so is its parser.
    const request = decoded.value as MessageShape<I>
    log.debug({ rayId: ctx.rayId, method: entry.path, request: redacted(input, request) }, 'request')
    // What proved the caller was validated before, and is of no more use.
    if (entry.credentialsField !== null) Reflect.set(request, entry.credentialsField.localName, undefined)
    const violations = validator.validate(input, request)
    return violations.length > 0 ? fail('oauth.invalid_request', { violations }) : success(request)
  }

  async function authorize(
    { rule }: Entry,
    ctx: Call,
    credentials: Credentials,
    again: EpochMs | null = null,
  ): Promise<Result<Caller>> {
    if (ctx.info.operator && rule.permission !== null && credentials.kind === 'none') return success(OPERATOR)
    const attempt = { rule, credentials, authenticatedAt: again === null ? null : ctx.now }
    const judge = () => authorizer.authorize(atMoment(ctx, again ?? ctx.now), attempt)
    return await (credentials.kind === 'client' ? withUniformFailureDelay(judge) : judge())
  }

  async function answer<I extends DescMessage, O extends DescMessage>(
    entry: Entry,
    ctx: Call,
    { input, output }: DescMethodUnary<I, O>,
    received: MessageShape<I> | EncodedRequest,
  ): Promise<Result<MessageShape<O>>> {
    const request = await admit(entry, ctx, input, received)
    if (!request.ok) return request
    if (entry.route.kind !== 'unary') throw new Error(`${entry.path} answers with a stream`)
    const answered = await entry.route.handle(ctx, request.value)
    if (!answered.ok) return withRetryAdvice(entry.rule, answered)
    return success(complete(output, answered.value))
  }

  /** The work, as long as its caller waits. What it waits for, such as a database, may take longer. */
  function untilDeadline<T>(ctx: Call, work: Promise<T>): Promise<T> {
    return deadlines.within(ctx.deadline, work, () => {
      ctx.isLate = true
      return new CallEnded('DEADLINE_EXCEEDED')
    })
  }

  /** The same for each item of a stream. */
  async function* itemsUntilDeadline<T>(ctx: Call, stream: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    const items = stream[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await untilDeadline(ctx, items.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      const ended = items.return?.()
      if (!ctx.isLate) await ended
      else ended?.catch((error: unknown) => log.warn({ rayId: ctx.rayId, err: error }, 'accident after the deadline'))
    }
  }

  /** The one place where an accident becomes an answer; its cause goes to the log and nowhere else. */
  function answerTo(accident: unknown, ctx: Call, path: string): FailedResult {
    const interruption = ctx.interruption()
    if (interruption !== null) throw new CallEnded(interruption, { cause: accident })
    log.error({ rayId: ctx.rayId, method: path, err: accident }, 'accident')
    return fail('oauth.server_error')
  }

  return {
    routes,

    call: async (method, info, received) => {
      const entry = entryOf(method)
      const ctx = new Call(info, now(), log)
      const accessLog = startAccessLog(log, entry, info)
      ctx.span = accessLog.span
      try {
        const answered = await untilDeadline(ctx, answer(entry, ctx, method, received))
        return answered.ok ? answered : accessLog.failed(answered)
      } catch (accident) {
        return accessLog.failed(answerTo(accident, ctx, entry.path))
      } finally {
        leaveTurn(ctx)
        accessLog.end(ctx.caller, ctx.interruption())
      }
    },

    stream: async function* (method, info, received) {
      const entry = entryOf(method)
      const ctx = new Call(info, now(), log)
      const accessLog = startAccessLog(log, entry, info)
      ctx.span = accessLog.span
      try {
        // A stream may stay open for long, so it keeps its admission only until its caller is known.
        const request = await untilDeadline(ctx, admit(entry, ctx, method.input, received)).finally(() => {
          leaveTurn(ctx)
        })
        if (!request.ok) return yield accessLog.failed(request)
        if (entry.route.kind !== 'serverStream') throw new Error(`${entry.path} answers with one message`)
        for await (const item of itemsUntilDeadline(ctx, entry.route.handle(ctx, request.value))) {
          if (!item.ok) return yield accessLog.failed(item)
          yield success(complete(method.output, item.value))
        }
      } catch (accident) {
        yield accessLog.failed(answerTo(accident, ctx, entry.path))
      } finally {
        accessLog.end(ctx.caller, ctx.interruption())
      }
    },
  }
}

function isEncoded(request: Message | EncodedRequest): request is EncodedRequest {
  return request instanceof Uint8Array || request instanceof JsonRequest
}

/** A request that was made in this process needs no scan. */
function scan(
  { parser, credentialsField }: Entry,
  request: Message | EncodedRequest,
): Result<ScannedRequest<DescMessage, typeof ClientAuthenticationSchema>> {
  if (isEncoded(request)) return parser.scan(request)
  const client = credentialsField === null ? null : (Reflect.get(request, credentialsField.localName) ?? null)
  // The descriptor says that the field, where set, is this message.
  return success({ items: 0, early: client as ClientAuthentication | null, message: request })
}

/** What a request takes on the wire; one made in this process takes nothing that counts. */
function bytesOf(request: Message | EncodedRequest): number {
  if (request instanceof Uint8Array) return request.byteLength
  return request instanceof JsonRequest ? request.encoded.byteLength : 0
}

/** A public client is let in by its id, which anybody knows. */
function hasShownProof(caller: Caller): boolean {
  return caller.kind === 'bearer' || (caller.kind === 'client' && caller.client.authenticationMethod !== 'none')
}

/** Who says to be calling, and can show it; `null`: nobody in particular, such as a public client, whose id anybody knows. */
function claimedBy(credentials: Credentials, info: CallInfo): string | null {
  switch (credentials.kind) {
    case 'client':
      return credentials.proof.kind === 'none' && info.certificate === null
        ? null
        : `client ${credentials.clientId} ${info.peer}`
    case 'bearer':
      return `bearer ${info.peer}`
    case 'none':
    case 'malformed':
      return null
    default:
      return credentials satisfies never
  }
}

/** `route` has matched the handler with its method, so what it answers is an init of the output. */
function complete<O extends DescMessage>(output: O, answer: object): MessageShape<O> {
  return create(output, answer as MessageInitShape<O>)
}

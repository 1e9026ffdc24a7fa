import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { Caller } from '../context.ts'
import { atMoment } from '../context.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { FieldViolation } from '../errors/registry.ts'
import { type AccessRule, authorizeCall, type Credentials } from '../flows/access/authorize-call.ts'
import type { FlowRunner } from '../flows/runner.ts'
import type { Logger } from '../logger.ts'
import { type FailedResult, fail, type Result, success } from '../results.ts'
import { accessRule } from './access.ts'
import { startAccessLine } from './access-line.ts'
import { Call } from './call.ts'
import type { CallObserver, MethodObserver } from './call-observer.ts'
import type { CallOrigin } from './call-origin.ts'
import { type CredentialsReader, credentialsReader } from './credentials.ts'
import { Interruption } from './errors.ts'
import { evenRefusal } from './even-refusal.ts'
import { itemCounter } from './item-counter.ts'
import { JsonRequest } from './json-request.ts'
import { jsonRequestParser } from './json-request-parser.ts'
import { fieldsWithNul } from './nul.ts'
import { redacted } from './redact.ts'
import { requestParser } from './request-parser.ts'
import { withRetryAdvice } from './retry-advice.ts'
import { pathOf, type Route } from './routes.ts'
import { Turns } from './turns.ts'
import { createRequestValidator, type RequestValidator } from './validation.ts'

const OPERATOR: Caller = Object.freeze({ kind: 'operator' })
const RETRY_AFTER_MS = 1_000

/** A request as it came over the wire: bytes are protobuf's binary encoding. */
export type EncodedRequest = Uint8Array | JsonRequest

/** The path of every call, whichever transport it came by. */
export interface Pipeline {
  readonly routes: readonly Route[]
  /**
   * Answers a unary call: a request still encoded is parsed first. Accidents
   * are logged and become `oauth.server_error`.
   *
   * @throws Interruption when the handler failed because nobody waits any more.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    origin: CallOrigin,
    request: MessageShape<I> | EncodedRequest,
  ): Promise<Result<MessageShape<O>>>
  /** Answers with a stream; a failed item is the last. Throws as `call` does. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    origin: CallOrigin,
    request: MessageShape<I> | EncodedRequest,
  ): AsyncGenerator<Result<MessageShape<O>>, void, void>
}

export interface PipelineOptions {
  readonly routes: readonly Route[]
  readonly runner: FlowRunner
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
  readonly countItems: (request: Message) => number
  readonly parse: (encoded: Uint8Array) => Result<Message>
  readonly parseJson: (encoded: JsonRequest) => Result<Message>
}

/** A message, and what came with it to prove who sent it. */
interface Said<I extends DescMessage> {
  readonly request: MessageShape<I>
  readonly credentials: Credentials
  /** What the message violates, told to whoever turns out to be admitted. */
  readonly violations: readonly FieldViolation[]
}

/** @throws Error naming the method, when one lacks a sound access option. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { routes, runner, log, now, isDraining, observer } = options
  const validator = options.validator ?? createRequestValidator(routes.map(({ method }) => method.input))
  const turns = new Turns(() => performance.now())
  const entries = new Map<DescMethod, Entry>()
  for (const route of routes) {
    const { method } = route
    entries.set(method, {
      route,
      path: pathOf(method),
      observer: observer?.of(method) ?? null,
      rule: accessRule(method),
      readCredentials: credentialsReader(method.input),
      countItems: itemCounter(method.input),
      parse: requestParser(method.input),
      parseJson: jsonRequestParser(method.input),
    })
  }

  function entryOf(method: DescMethod): Entry {
    const entry = entries.get(method)
    if (entry === undefined) throw new Error(`${pathOf(method)} is not served`)
    return entry
  }

  /** What a call says, before anybody has looked at who says it. */
  function read<I extends DescMessage>(
    entry: Entry,
    ctx: Call,
    input: I,
    encoded: MessageShape<I> | EncodedRequest,
  ): Result<Said<I>> {
    if (isDraining()) return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    const parsed = parse(entry, encoded)
    if (!parsed.ok) return parsed
    // The entry is the method's, and so is its parser.
    const request = parsed.value as MessageShape<I>
    const withNul = fieldsWithNul(input, request, encoded instanceof Uint8Array ? encoded : null)
    if (withNul.length > 0) return fail('oauth.invalid_request', { violations: withNul.map(nulViolation) })
    log.debug({ rayId: ctx.rayId, method: entry.path, request: redacted(input, request) }, 'request')
    const violations = validator.validate(input, request)
    const credentials = entry.readCredentials(request, ctx.origin.authorization, violations)
    return credentials.ok ? success({ request, credentials: credentials.value, violations }) : credentials
  }

  /** The rest of what comes before the handler. Who calls is judged before what is asked, so that strangers learn nothing. */
  async function admit<I extends DescMessage>(
    entry: Entry,
    ctx: Call,
    { request, credentials, violations }: Said<I>,
  ): Promise<Result<MessageShape<I>>> {
    const caller = await authorize(entry, ctx, credentials)
    if (!caller.ok) return caller
    ctx.caller = caller.value
    ctx.proveAgain = (at) => authorize(entry, ctx, credentials, at)
    return violations.length > 0 ? fail('oauth.invalid_request', { violations }) : success(request)
  }

  async function authorize(
    { rule }: Entry,
    ctx: Call,
    credentials: Credentials,
    again: EpochMs | null = null,
  ): Promise<Result<Caller>> {
    if (ctx.origin.operator && rule.permission !== null && credentials.kind === 'none') return success(OPERATOR)
    const attempt = { rule, credentials, provedAt: again === null ? null : ctx.now }
    const judge = () => runner.execute(authorizeCall, atMoment(ctx, again ?? ctx.now), attempt)
    return await (credentials.kind === 'client' ? evenRefusal(judge) : judge())
  }

  /** The one place where an accident becomes an answer; its cause goes to the log and nowhere else. */
  function answerTo(accident: unknown, ctx: Call, path: string): FailedResult {
    const interruption = ctx.origin.interruption()
    if (interruption !== null) throw new Interruption(interruption, { cause: accident })
    log.error({ rayId: ctx.rayId, method: path, err: accident }, 'accident')
    return fail('oauth.server_error')
  }

  return {
    routes,

    call: async (method, origin, encoded) => {
      const entry = entryOf(method)
      const ctx = new Call(origin, now(), log)
      const line = startAccessLine(log, entry, origin)
      ctx.span = line.span
      let leave: (() => void) | null = null
      try {
        const said = read(entry, ctx, method.input, encoded)
        if (!said.ok) return line.failed(said)
        const caller = claimedBy(said.value.credentials, origin)
        const size = { bytes: bytesOf(encoded), items: entry.countItems(said.value.request) }
        const entered = turns.enter(caller, size, () => origin.interruption() !== null)
        const turn = typeof entered === 'string' ? entered : await entered
        if (turn === 'gone') throw new Interruption(origin.interruption() ?? 'CANCELLED')
        if (turn === 'full') return line.failed(fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS }))
        leave = () => turns.leave(caller, size)
        const request = await admit(entry, ctx, said.value)
        if (!request.ok) return line.failed(request)
        if (entry.route.kind !== 'unary') throw new Error(`${entry.path} answers with a stream`)
        const answer = await entry.route.handle(ctx, request.value)
        if (!answer.ok) return line.failed(withRetryAdvice(entry.rule, answer))
        return success(complete(method.output, answer.value))
      } catch (accident) {
        return line.failed(answerTo(accident, ctx, entry.path))
      } finally {
        leave?.()
        line.end(ctx.caller)
      }
    },

    stream: async function* (method, origin, encoded) {
      const entry = entryOf(method)
      const ctx = new Call(origin, now(), log)
      const line = startAccessLine(log, entry, origin)
      ctx.span = line.span
      try {
        const said = read(entry, ctx, method.input, encoded)
        if (!said.ok) return yield line.failed(said)
        const request = await admit(entry, ctx, said.value)
        if (!request.ok) return yield line.failed(request)
        if (entry.route.kind !== 'serverStream') throw new Error(`${entry.path} answers with one message`)
        for await (const item of entry.route.handle(ctx, request.value)) {
          if (!item.ok) return yield line.failed(item)
          yield success(complete(method.output, item.value))
        }
      } catch (accident) {
        yield line.failed(answerTo(accident, ctx, entry.path))
      } finally {
        line.end(ctx.caller)
      }
    },
  }
}

function parse(entry: Entry, request: Message | EncodedRequest): Result<Message> {
  if (request instanceof Uint8Array) return entry.parse(request)
  return request instanceof JsonRequest ? entry.parseJson(request) : success(request)
}

/** What a request takes on the wire; one made in this process takes nothing that counts. */
function bytesOf(request: Message | EncodedRequest): number {
  if (request instanceof Uint8Array) return request.byteLength
  return request instanceof JsonRequest ? request.encoded.byteLength : 0
}

/** Who says to be calling: a client, or whoever is at an address. */
function claimedBy(credentials: Credentials, { peer }: CallOrigin): string {
  return credentials.kind === 'client' ? `${credentials.clientId} ${peer}` : peer
}

function nulViolation(field: string) {
  return { field, description: 'holds the character U+0000' }
}

/** `route` has matched the handler with its method, so what it answers is an init of the output. */
function complete<O extends DescMessage>(output: O, answer: object): MessageShape<O> {
  return create(output, answer as MessageInitShape<O>)
}

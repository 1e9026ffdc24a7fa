import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { CallAuthorizer } from '../auth/authorize-call.ts'
import type { TrustedProxies } from '../auth/forwarded-certificate/trusted-proxies.ts'
import type { Logger } from '../context.ts'
import { DeadlineExceededError, Deadlines } from '../deadlines.ts'
import type { EpochMs } from '../domain/ids.ts'
import { type FailedResult, fail, mapResult, type Result, success } from '../results.ts'
import { AccessLog } from './access-log.ts'
import { AdmissionControl } from './admission-control.ts'
import { Call } from './call.ts'
import { CallEnded, type CallInfo } from './call-info.ts'
import type { CallObserver } from './call-observer.ts'
import { Redactor } from './redact.ts'
import type { EncodedRequest } from './request-limits/request-parser.ts'
import { RequestValidator } from './request-validator.ts'
import { pathOf, type Route } from './routes.ts'
import { ServedMethod } from './served-method.ts'
import {
  admit,
  authenticate,
  decodeRequest,
  dispatch,
  dispatchStream,
  readCredentials,
  readForwardedCertificate,
  refuseOtherPeers,
  refuseWhileDraining,
  type Stage,
  type StageServices,
  scanRequest,
  UniformFailureDelay,
  validateRequest,
} from './stages.ts'

/** The stages of a call before its handler, in this order. The caller is checked before the request, so that unauthenticated callers learn nothing. */
const STAGES: readonly Stage[] = Object.freeze([
  refuseWhileDraining,
  readForwardedCertificate,
  refuseOtherPeers,
  scanRequest,
  readCredentials,
  admit,
  authenticate,
  decodeRequest,
  validateRequest,
])

export interface PipelineOptions {
  readonly routes: readonly Route[]
  readonly authorizer: CallAuthorizer
  readonly log: Logger
  readonly now: () => EpochMs
  readonly isDraining: () => boolean
  /** One that was made before the routes were; if not given, one is made for them. */
  readonly validator?: RequestValidator
  readonly observer?: CallObserver | undefined
  /** Those who may tell of the certificates of others; nobody if not given. */
  readonly trustedProxies?: TrustedProxies | null
}

/** Runs every call of every transport: through the stages to its handler, and writes the access log. */
export class Pipeline {
  readonly routes: readonly Route[]
  readonly #methods: ReadonlyMap<DescMethod, ServedMethod>
  readonly #services: StageServices
  readonly #accessLog: AccessLog
  readonly #deadlines = new Deadlines()
  readonly #log: Logger
  readonly #now: () => EpochMs

  /** @throws Error naming the method, when one lacks a sound access option. */
  constructor({ routes, authorizer, log, now, isDraining, validator, observer, trustedProxies }: PipelineOptions) {
    this.routes = routes
    this.#methods = new Map(routes.map((route) => [route.method, new ServedMethod(route, observer)]))
    this.#services = {
      isDraining,
      admissionControl: new AdmissionControl(() => performance.now()),
      authorizer,
      failureDelay: new UniformFailureDelay(),
      redactor: new Redactor(),
      trustedProxies: trustedProxies ?? null,
      validator: validator ?? new RequestValidator(routes.map(({ method }) => method.input)),
    }
    this.#accessLog = new AccessLog(log)
    this.#log = log
    this.#now = now
  }

  /**
   * Answers a unary call with the init object of its response. An encoded request is parsed
   * first. A decoded request is consumed: its credentials are removed from it. Unexpected
   * errors are logged and become `oauth.server_error`.
   *
   * @throws CallEnded if the call failed because its caller no longer waits for the answer.
   */
  async answer<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    info: CallInfo,
    request: MessageShape<I> | EncodedRequest,
  ): Promise<Result<MessageInitShape<O>>> {
    const call = this.#start(method, info, request)
    try {
      const answered = await this.#withinDeadline(call, this.#work(call))
      if (!answered.ok) call.failure = answered
      // `route` has matched the handler with its method, so what it answers is an init of the output.
      return answered as Result<MessageInitShape<O>>
    } catch (error) {
      return this.#failureOf(call, error)
    } finally {
      call.leaveAdmission()
      this.#accessLog.end(call)
    }
  }

  /** The same with the response as a message. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    info: CallInfo,
    request: MessageShape<I> | EncodedRequest,
  ): Promise<Result<MessageShape<O>>> {
    return mapResult(await this.answer(method, info, request), (init) => create(method.output, init))
  }

  /** Answers with a stream. A failed item ends it. Throws like `answer`. */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    info: CallInfo,
    request: MessageShape<I> | EncodedRequest,
  ): AsyncGenerator<Result<MessageShape<O>>, void, void> {
    const call = this.#start(method, info, request)
    try {
      // A stream may stay open for long, so it keeps its admission only until its caller is known.
      const refusal = await this.#withinDeadline(call, this.#prepare(call)).finally(() => call.leaveAdmission())
      if (refusal !== null) {
        call.failure = refusal
        yield refusal
        return
      }
      for await (const item of this.#itemsWithinDeadline(call, dispatchStream(call))) {
        if (!item.ok) {
          call.failure = item
          yield item
          return
        }
        // `route` has matched the handler with its method, so what it answers is an init of the output.
        yield success(create(method.output, item.value as MessageInitShape<O>))
      }
    } catch (error) {
      yield this.#failureOf(call, error)
    } finally {
      this.#accessLog.end(call)
    }
  }

  /** Records that the transport refused a call before its request was read. Returns the refusal. */
  refuse(method: DescMethod, info: CallInfo, failed: FailedResult): FailedResult {
    const call = this.#start(method, info, create(method.input))
    call.failure = failed
    this.#accessLog.end(call)
    return failed
  }

  #start(method: DescMethod, info: CallInfo, request: MessageShape<DescMessage> | EncodedRequest): Call {
    const served = this.#methods.get(method)
    if (served === undefined) throw new Error(`${pathOf(method)} is not served`)
    const call = new Call(served, info, request, this.#now(), this.#log)
    this.#accessLog.start(call)
    return call
  }

  async #work(call: Call): Promise<Result<object>> {
    const refusal = await this.#prepare(call)
    return refusal ?? (await dispatch(call))
  }

  /** Runs the stages. Returns the refusal, or `null` if the call may be dispatched. */
  async #prepare(call: Call): Promise<FailedResult | null> {
    for (const stage of STAGES) {
      const outcome = stage(call, this.#services)
      const refusal = outcome instanceof Promise ? await outcome : outcome
      if (refusal !== null) return refusal
    }
    return null
  }

  /** Waits for the work as long as the caller waits. The work itself, such as a database operation, may take longer. */
  #withinDeadline<T>(call: Call, work: Promise<T>): Promise<T> {
    if (call.deadline === null) return work
    return this.#deadlines.within(call.deadline, work, () => {
      call.isLate = true
      return new CallEnded('DEADLINE_EXCEEDED')
    })
  }

  /** The same for each item of a stream. */
  async *#itemsWithinDeadline<T>(call: Call, stream: AsyncIterable<T>): AsyncGenerator<T, void, void> {
    const items = stream[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await this.#withinDeadline(call, items.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      const ended = items.return?.()
      if (!call.isLate) await ended
      else {
        ended?.catch((error: unknown) => {
          this.#log.warn({ rayId: call.rayId, err: error }, 'unexpected error after the deadline')
        })
      }
    }
  }

  /** The only place where an unexpected error becomes an answer. Its cause is written to the log only. */
  #failureOf(call: Call, error: unknown): FailedResult {
    if (error instanceof DeadlineExceededError) call.isLate = true
    const endedBy = call.endedBy()
    if (endedBy !== null) throw new CallEnded(endedBy, { cause: error })
    this.#log.error({ rayId: call.rayId, method: call.method.path, err: error }, 'unexpected error')
    call.failure = fail('oauth.server_error')
    return call.failure
  }
}

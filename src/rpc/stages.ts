import type { Message } from '@bufbuild/protobuf'
import type { CallAuthorizer } from '../auth/authorize-call.ts'
import type { TrustedProxies } from '../auth/forwarded-certificate/trusted-proxies.ts'
import { atMoment, type Caller } from '../context.ts'
import type { EpochMs } from '../domain/ids.ts'
import { peerKey } from '../domain/peer-key.ts'
import type { ClientAuthentication } from '../gen/qscope/v1/client_authentication_pb.ts'
import { type FailedResult, fail, RETRY_AFTER_MS, type Result, success } from '../results.ts'
import type { Admission, AdmissionControl, AdmittedCall } from './admission-control.ts'
import type { Call } from './call.ts'
import { CallEnded } from './call-info.ts'
import { findCredentials } from './credentials.ts'
import type { Redactor } from './redact.ts'
import { type EncodedRequest, JsonRequest } from './request-limits/request-parser.ts'
import type { RequestValidator } from './request-validator.ts'
import { withRetryAdvice } from './served-method.ts'

/** Longer than the look-ups take on a database that is not overloaded. */
const FAILURE_DELAY_MS = 5

/**
 * Refusals are answered at the earliest 5 ms after the start of the call. Reading an existing client takes slightly longer
 * than a missing one, and callers must not be able to measure the difference. The timer starts before the look-ups, so its
 * end does not depend on them. Successful calls are not delayed.
 */
export class UniformFailureDelay {
  #startedAt = Number.NaN
  #due: Promise<void> = Promise.resolve()

  /** Resolves when a refusal may be answered. Calls that start in the same millisecond share a timer. */
  start(): Promise<void> {
    const now = Math.floor(performance.now())
    if (now !== this.#startedAt) {
      this.#startedAt = now
      this.#due = new Promise((resolve) => setTimeout(resolve, FAILURE_DELAY_MS))
    }
    return this.#due
  }
}

/** The services of the stages, which outlive a call. */
export interface StageServices {
  readonly isDraining: () => boolean
  readonly admissionControl: AdmissionControl
  readonly authorizer: CallAuthorizer
  readonly failureDelay: UniformFailureDelay
  readonly redactor: Redactor
  /** `null`: no proxy may forward certificates. */
  readonly trustedProxies: TrustedProxies | null
  readonly validator: RequestValidator
}

/**
 * A step of every call, unary or stream, before its handler. It stores its results in the call. Returns why the call is
 * refused. `null`: the call continues. Only a stage that has to wait returns a promise.
 */
export type Stage = (call: Call, services: StageServices) => FailedResult | null | Promise<FailedResult | null>

const OPERATOR: Caller = Object.freeze({ kind: 'operator' })

export function refuseWhileDraining({ info }: Call, { isDraining }: StageServices): FailedResult | null {
  return isDraining() && !info.isPromised
    ? fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    : null
}

/**
 * Takes the caller's certificate from a trusted proxy. The proxy's own certificate is then not used as the caller's. The
 * headers of any other peer are ignored.
 */
export function readForwardedCertificate(call: Call, { trustedProxies }: StageServices): FailedResult | null {
  if (trustedProxies === null || !trustedProxies.include(call.info, call.now)) return null
  const found = trustedProxies.certificateBehind(call.info, call)
  call.forwardedCertificate = found.ok ? found.value : null
  return found.ok ? null : found
}

/** Refuses peers that may not call a service before anything of their request is read. */
export function refuseOtherPeers(call: Call): FailedResult | null {
  const { peers } = call.method.route
  return peers === null || peers.include(call) ? null : fail('oauth.invalid_client')
}

/** Checks the encoded request against its limits. Decodes the caller's credentials, or a small request completely. */
export function scanRequest(call: Call): FailedResult | null {
  const { received } = call
  const { parser, credentialsField } = call.method
  if (isEncoded(received)) {
    const scanned = parser.scan(received)
    if (!scanned.ok) return scanned
    const { early, items, message } = scanned.value
    call.clientAuthentication = early
    call.items = items
    call.message = message
    return null
  }
  // A request from this process needs no scan. The descriptor declares the field with this type.
  if (credentialsField !== null) {
    call.clientAuthentication = (Reflect.get(received, credentialsField.localName) ??
      null) as ClientAuthentication | null
  }
  call.message = received
  return null
}

export function readCredentials(call: Call, { validator }: StageServices): FailedResult | null {
  const fieldName = call.method.credentialsField?.name ?? 'client'
  const found = findCredentials(call.clientAuthentication, fieldName, call.info.authorization, validator)
  if (!found.ok) return found
  call.credentials = found.value
  return null
}

/** Waits until the call may run. The admission lasts until the call leaves it. Refuses the call if the queue is full. */
export function admit(
  call: Call,
  { admissionControl }: StageServices,
): FailedResult | null | Promise<FailedResult | null> {
  const caller = claimedCaller(call)
  const queue = admissionControl.queueOf(caller, peerKey(call.peer))
  const admitted = {
    control: admissionControl,
    caller,
    queue,
    size: { bytes: bytesOf(call.received), items: call.items },
  }
  const admission = admissionControl.admit(queue, admitted.size, () => call.endedBy() !== null)
  if (typeof admission === 'string') return settle(call, admitted, admission)
  return admission.then((settled) => settle(call, admitted, settled))
}

function settle(call: Call, admitted: AdmittedCall, admission: Admission): FailedResult | null {
  switch (admission) {
    case 'admitted':
      call.admission = admitted
      return null
    case 'full':
      return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    case 'abandoned':
      throw new CallEnded(call.endedBy() ?? 'CANCELLED')
    default:
      return admission satisfies never
  }
}

/** Authenticates the caller and checks its access to this method. */
export async function authenticate(call: Call, services: StageServices): Promise<FailedResult | null> {
  const caller = await authorize(call, services, null)
  if (!caller.ok) return caller
  const { admission } = call
  if (admission !== null && admission.caller !== null && hasShownProof(caller.value)) {
    services.admissionControl.proved(admission.caller, admission.queue)
  }
  call.caller = caller.value
  call.reauthenticate = (at) => authorize(call, services, at)
  return null
}

/** `again`: the time of the re-check of the same credentials. `null`: the first check. */
async function authorize(
  call: Call,
  { authorizer, failureDelay }: StageServices,
  again: EpochMs | null,
): Promise<Result<Caller>> {
  const { rule } = call.method
  const { credentials } = call
  if (call.info.operator && rule.permission !== null && credentials.kind === 'none') return success(OPERATOR)
  const attempt = { rule, credentials, authenticatedAt: again === null ? null : call.now }
  const delay = credentials.kind === 'client' ? failureDelay.start() : null
  const caller = await authorizer.authorize(atMoment(call, again ?? call.now), attempt)
  if (!caller.ok && delay !== null) await delay
  return caller
}

export function decodeRequest(call: Call): FailedResult | null {
  if (call.message !== null || !isEncoded(call.received)) return null
  const decoded = call.method.parser.decode(call.received)
  if (!decoded.ok) return decoded
  call.message = decoded.value
  return null
}

export function validateRequest(call: Call, { redactor, validator }: StageServices): FailedResult | null {
  const { route, path, credentialsField } = call.method
  const { input } = route.method
  const message = messageOf(call)
  call.log.debug({ rayId: call.rayId, method: path, request: redactor.redacted(input, message) }, 'request')
  // The credentials were validated before and are no longer needed.
  if (credentialsField !== null) Reflect.set(message, credentialsField.localName, undefined)
  const violations = validator.validate(input, message)
  return violations.length > 0 ? fail('oauth.invalid_request', { violations }) : null
}

/** Runs the handler: the method of that name in the class of `handlers/<service>.ts`, bound by `route`. Returns an init of the output. */
export async function dispatch(call: Call): Promise<Result<object>> {
  const { route, path, rule } = call.method
  if (route.kind !== 'unary') throw new Error(`${path} answers with a stream`)
  const answered = await route.handle(call, messageOf(call))
  return answered.ok ? answered : withRetryAdvice(rule, answered)
}

/** The same for a streaming method, whose items are inits of the output. */
export function dispatchStream(call: Call): AsyncIterable<Result<object>> {
  const { route, path } = call.method
  if (route.kind !== 'serverStream') throw new Error(`${path} answers with one message`)
  return route.handle(call, messageOf(call))
}

function messageOf({ message, method }: Call): Message {
  if (message === null) throw new Error(`the request of ${method.path} has not been decoded yet`)
  return message
}

function isEncoded(request: Message | EncodedRequest): request is EncodedRequest {
  return request instanceof Uint8Array || request instanceof JsonRequest
}

/** The size of a request on the wire. A request from this process counts as empty. */
function bytesOf(request: Message | EncodedRequest): number {
  if (request instanceof Uint8Array) return request.byteLength
  return request instanceof JsonRequest ? request.encoded.byteLength : 0
}

/** A public client's id is not a proof, because anybody knows it. */
function hasShownProof(caller: Caller): boolean {
  return caller.kind === 'bearer' || (caller.kind === 'client' && caller.client.authenticationMethod !== 'none')
}

/** The identity that the caller claims and can prove. `null`: none, for example for a public client, whose id anybody knows. */
function claimedCaller({ credentials, certificate, info }: Call): string | null {
  switch (credentials.kind) {
    case 'client':
      return credentials.proof.kind === 'none' && certificate === null
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

import { create, fromJson, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect'
import type { Channel } from '../../../../packages/client/src/channel.ts'
import { connectChannel } from '../../../../packages/client/src/connect/channel.ts'
import { deferred } from '../../../../packages/client/src/deferred.ts'
import { ErrorInfoSchema } from '../../../../packages/client/src/gen/google/rpc/error_details_pb.ts'
import {
  GetJsonWebKeySetResponseSchema,
  type PollRevocationsRequest,
  PollRevocationsResponseSchema,
  RevocationStart,
  TokenService,
  type VerifyTokenRequest,
  type VerifyTokenResponseSchema,
} from '../../../../packages/client/src/gen/qscope/v1/token_service_pb.ts'
import { type AnswerStep, finished, type PollStep, revocationKey, table } from './cases.ts'
import { claimsOf } from './claims.ts'

/** A call that waits for its answer. */
interface Held<Request, Response> {
  readonly request: Request
  readonly answer: (response: Response) => void
  readonly fail: (error: ConnectError) => void
}

type HeldQuestion = Held<VerifyTokenRequest, MessageInitShape<typeof VerifyTokenResponseSchema>>
type HeldPoll = Held<PollRevocationsRequest, MessageInitShape<typeof PollRevocationsResponseSchema>>

/** A server that a script controls: each call waits until the script answers it. */
export class ScriptedServer {
  readonly channel: Channel
  /** Verifications that the script has not handled yet, oldest first. */
  readonly questions: HeldQuestion[] = []
  readonly polls: HeldPoll[] = []
  #cursors = 0

  constructor(keySet: 'available' | 'unavailable' | 'empty') {
    const transport = createRouterTransport(({ service }) =>
      service(TokenService, {
        verifyToken: (request) => hold(this.questions, request),
        pollRevocations: (request) => hold(this.polls, request),
        getJsonWebKeySet: () => {
          if (keySet === 'unavailable') throw unavailable()
          const published = keySet === 'empty' ? [] : finished.keys
          const keys = published.map((key) => ({ ...key })) as unknown as JsonValue
          return fromJson(GetJsonWebKeySetResponseSchema, { keys, maxAge: '300s' })
        },
      }),
    )
    this.channel = connectChannel(transport)
  }

  answerQuestion({ request, answer, fail }: HeldQuestion, step: AnswerStep): void {
    if (step.with === 'active') answer({ claims: claimsOf(request.token, step.keys) })
    else fail(step.with === 'unavailable' ? unavailable() : invalidToken())
  }

  answerPoll({ answer, fail }: HeldPoll, step: PollStep): void {
    if (step.poll === 'fails') {
      fail(unavailable())
      return
    }
    const { tells = [], next, more = false, reset = false, covered_ms: coveredMs = 0 } = step
    this.#cursors += 1
    answer(
      create(PollRevocationsResponseSchema, {
        revocations: tells.map(({ key, forget_in: forgetIn = 3_600, no_forget_time: isWithoutTime = false }) => ({
          key: revocationKey(key),
          ...(!isWithoutTime && { forgetTime: timestampFromMs((table.clock + forgetIn) * 1_000) }),
        })),
        nextCursor: next ?? `cursor-${this.#cursors}`,
        more,
        reset,
        covered: durationFromMs(coveredMs),
      }),
    )
  }
}

/** The start of a poll, as the table names it. */
export function originOf({ request: { from } }: HeldPoll): string | undefined {
  if (from.case !== 'start') return from.value
  return from.value === RevocationStart.NOW ? 'now' : 'history'
}

function hold<Request, Response>(calls: Held<Request, Response>[], request: Request): Promise<Response> {
  const { promise, resolve, reject } = deferred<Response>()
  calls.push({ request, answer: resolve, fail: reject })
  return promise
}

function unavailable(): ConnectError {
  return new ConnectError('nobody is there', Code.Unavailable)
}

function invalidToken(): ConnectError {
  const value = { reason: 'OAUTH_INVALID_TOKEN', domain: 'qscope', metadata: { token: 'presented' } }
  return new ConnectError('not good', Code.Unauthenticated, undefined, [{ desc: ErrorInfoSchema, value }])
}

import { create, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { milliseconds } from '../../domain/ids.ts'
import type { PolledRevocations, PollRequest } from '../../flows/revocations/poll-revocations.ts'
import { MAX_PAGE_SIZE, type RevocationPage } from '../../flows/revocations/revocation-reading.ts'
import {
  type PollRevocationsRequest,
  PollRevocationsResponseSchema,
  type Revocation,
  RevocationSchema,
  RevocationStart,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { encodedBy } from '../answer-encoding/encoded-answer.ts'
import { fromDuration, toDuration, toTimestamp } from './time.ts'

/** `null` if the request has neither a start nor a cursor. */
export function fromPollRequest({ from, wait, pageSize }: PollRevocationsRequest): PollRequest | null {
  const start = from.case === undefined ? null : from.case === 'cursor' ? { cursor: from.value } : startOf(from.value)
  if (start === null) return null
  return {
    from: start,
    waitMs: wait === undefined ? 0 : fromDuration(wait),
    pageSize: pageSize === 0 ? MAX_PAGE_SIZE : pageSize,
  }
}

function startOf(start: RevocationStart): { readonly start: 'now' | 'history' } | null {
  if (start === RevocationStart.NOW) return { start: 'now' }
  return start === RevocationStart.HISTORY ? { start: 'history' } : null
}

/** A page in the form that is sent to all pollers. */
interface SharedPage {
  readonly revocations: Revocation[]
  /** The field `revocations` alone. Fields of a message may come in any order, so others can stand before it. */
  encoded: Uint8Array | null
}

/** Creates answers to polls. The part that several pollers share is created and encoded once. */
export class PollAnswers {
  readonly #shared = new WeakMap<RevocationPage, SharedPage>()

  /** Rounds the covered time down to the millisecond, so that the answer does not promise too much. */
  of({ page, nextCursor, reset, coveredMs }: PolledRevocations): MessageShape<typeof PollRevocationsResponseSchema> {
    const own = { nextCursor, more: page.more, reset, covered: toDuration(milliseconds(Math.floor(coveredMs))) }
    const answer = create(PollRevocationsResponseSchema, own)
    if (page.revocations.length === 0) return answer
    const shared = this.#sharedOf(page)
    answer.revocations = shared.revocations
    return encodedBy(answer, () => {
      shared.encoded ??= toBinary(
        PollRevocationsResponseSchema,
        create(PollRevocationsResponseSchema, { revocations: shared.revocations }),
      )
      const ownPart = toBinary(PollRevocationsResponseSchema, create(PollRevocationsResponseSchema, own))
      return Buffer.concat([ownPart, shared.encoded])
    })
  }

  #sharedOf(page: RevocationPage): SharedPage {
    const known = this.#shared.get(page)
    if (known !== undefined) return known
    const revocations = page.revocations.map(({ key, forgetTime }) =>
      create(RevocationSchema, { key, forgetTime: toTimestamp(forgetTime) }),
    )
    const shared: SharedPage = { revocations, encoded: null }
    this.#shared.set(page, shared)
    return shared
  }
}

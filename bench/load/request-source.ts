import { grpcData, MESSAGE_AT } from './http2/frames.ts'
import type { Requests } from './job.ts'

/** Provides the next framed request of each lane. */
export interface RequestSource {
  /** `null`: there are no more. A lane calls this again only after its answer. */
  next(lane: number): Buffer | null
  /** Called with every correct answer. */
  learn(lane: number, body: readonly Buffer[]): void
}

const REFRESH_TOKEN = /qrt_[0-9A-Za-z]{49}/

export function requestSource(requests: Requests): RequestSource {
  const frames = requests.messages.map(grpcData)
  let used = 0
  switch (requests.kind) {
    case 'cycle':
      return {
        next: () => {
          used += 1
          // The same request may be in progress twice, so the stream id is written into a copy.
          const frame = frames[used % frames.length]
          return frame === undefined ? null : Buffer.from(frame)
        },
        learn: () => undefined,
      }
    case 'once':
      return {
        next: () => {
          used += 1
          return frames[used - 1] ?? null
        },
        learn: () => undefined,
      }
    case 'rotate': {
      const at = MESSAGE_AT + requests.tokenAt
      return {
        next: (lane) => frames[lane] ?? null,
        learn: (lane, body) => {
          const [successor] = REFRESH_TOKEN.exec(Buffer.concat(body).toString('latin1')) ?? []
          if (successor !== undefined) frames[lane]?.write(successor, at, 'latin1')
        },
      }
    }
    default:
      return requests satisfies never
  }
}

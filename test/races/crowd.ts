import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect } from 'vitest'
import { type Connection, connect, Refused, type Sent } from '../setup/client.ts'
import type { TestServer } from '../setup/server.ts'

const SOCKETS = 8

/** The outcome of a call. */
export type Outcome<T> =
  | { readonly answer: T; readonly refused: null }
  | { readonly answer: null; readonly refused: Refused }

/** Many parallel callers, each with its own connection. */
export interface Crowd {
  /** One call, on the next connection. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    sent?: Sent,
  ): Promise<MessageShape<O>>
  /** Runs the same function `count` times in parallel. */
  rush<T>(count: number, each: (index: number) => Promise<T>): Promise<readonly Outcome<T>[]>
}

/** Connects the callers before the suite and disconnects them after it. */
export function gatherCrowd(server: TestServer): Crowd {
  const connections: Connection[] = []
  let next = 0
  beforeAll(async () => {
    for (let i = 0; i < SOCKETS; i += 1) connections.push(connect(server.address, { ownSocket: true }))
  })
  afterAll(() => {
    for (const connection of connections) connection.close()
  })
  return {
    call: (method, request, sent) => {
      const connection = connections[next % SOCKETS]
      next += 1
      if (connection === undefined) throw new Error('the crowd has not gathered yet')
      return connection.call(method, request, sent)
    },
    rush: async (count, each) => await Promise.all(Array.from({ length: count }, (_, index) => outcomeOf(each(index)))),
  }
}

/** The outcome of a call; an internal error of the server fails the test. */
export async function outcomeOf<T>(call: Promise<T>): Promise<Outcome<T>> {
  try {
    return { answer: await call, refused: null }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    expect(['INTERNAL', 'UNKNOWN', 'UNAVAILABLE', 'DEADLINE_EXCEEDED'], error.message).not.toContain(error.status)
    return { answer: null, refused: error }
  }
}

/** The answers of the calls that were not refused. */
export function answersOf<T>(outcomes: readonly Outcome<T>[]): T[] {
  return outcomes.flatMap((outcome) => (outcome.refused === null ? [outcome.answer] : []))
}

/** How often each reason of refusal occurred. */
export function reasonsOf(outcomes: readonly Outcome<unknown>[]): Record<string, number> {
  const reasons: Record<string, number> = {}
  for (const { refused } of outcomes) {
    if (refused !== null) reasons[refused.reason] = (reasons[refused.reason] ?? 0) + 1
  }
  return reasons
}

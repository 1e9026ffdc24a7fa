import { status as grpcStatus } from '@grpc/grpc-js'
import { GrpcConnection } from './http2/connection.ts'
import type { Expected, GrpcJob, LoadResult } from './job.ts'
import { type RequestSource, requestSource } from './request-source.ts'
import { Tally } from './tally.ts'

const PREFIX_BYTES = 5
/** The time limit for calls in progress at the end. */
const GRACE_MS = 5_000

/** Keeps a number of calls in progress. Each lane starts the next call after the previous answer. */
export async function runGrpcLoad(job: GrpcJob, begun: () => void): Promise<LoadResult> {
  const source = requestSource(job.requests)
  const opened = Array.from({ length: job.connections }, () => GrpcConnection.open(job.port, job.path))
  const connections = await Promise.all(opened)
  begun()
  const tally = new Tally(job.durationMs)
  const lanes = Array.from({ length: job.inFlight }, (_, lane) => {
    const connection = connections[lane % connections.length]
    return connection === undefined ? null : runLane({ lane, connection, source, tally, expected: job.expected })
  })
  const all = Promise.all(lanes)
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, job.durationMs + GRACE_MS))])
  for (const connection of connections) connection.close()
  return tally.close()
}

interface Lane {
  readonly lane: number
  readonly connection: GrpcConnection
  readonly source: RequestSource
  readonly tally: Tally
  readonly expected: Expected
}

/** Ends when the time is over, the requests are used up, or the connection is lost. */
function runLane({ lane, connection, source, tally, expected }: Lane): Promise<void> {
  return new Promise((done) => {
    const next = () => {
      const data = tally.isOpen ? source.next(lane) : null
      if (data === null) {
        // When the requests are used up, the first lane that notices ends the measurement.
        if (tally.isOpen) tally.close()
        done()
        return
      }
      const begun = performance.now()
      connection.call(data, (status, body) => {
        const error = errorOf(status, body, expected)
        tally.note(begun, error)
        if (error === null) source.learn(lane, body)
        if (typeof status === 'string') done()
        else next()
      })
    }
    next()
  })
}

function errorOf(status: number | string, body: readonly Buffer[], expected: Expected): string | null {
  if (typeof status === 'string') return status
  if (status !== grpcStatus.OK) return grpcStatus[status] ?? `STATUS_${status}`
  const length = body.reduce((sum, part) => sum + part.length, -PREFIX_BYTES)
  switch (expected) {
    case 'anything':
      return null
    case 'some bytes':
      return length > 0 ? null : 'WRONG_ANSWER'
    case 'no bytes':
      return length === 0 ? null : 'WRONG_ANSWER'
    default:
      return expected satisfies never
  }
}

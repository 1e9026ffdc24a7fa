import type { EpochMs, Milliseconds } from '../domain/ids.ts'
import type { ErrorCode } from '../errors/registry.ts'

/** The number and rate of an event. */
export interface Rate<Name extends string> {
  readonly name: Name
  /** Since the start. */
  readonly count: number
  /** The mean over the window. */
  readonly perSecond: number
}

/** The calls and refusals of one process, the most frequent first. Without those that never occurred. */
export interface CallRates {
  readonly window: Milliseconds
  /** By method, such as `qscope.v1.TokenService/MintToken`. */
  readonly calls: readonly Rate<string>[]
  readonly refusals: readonly Rate<ErrorCode>[]
}

/** The status of a server. */
export interface ServerStatus {
  readonly version: string
  readonly startedAt: EpochMs
  readonly serving: boolean
  readonly findings: readonly {
    readonly check: string
    readonly state: 'ok' | 'warning' | 'problem'
    readonly finding: string
    readonly advice: string | null
  }[]
  readonly examinedAt: EpochMs
  readonly rates: CallRates
}

/** Provides the server's status. Concurrent callers share an answer. */
export interface ServerStatusSource {
  read(): Promise<ServerStatus>
}

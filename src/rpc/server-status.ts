import type { EpochMs, Milliseconds } from '../domain/ids.ts'
import type { ErrorCode } from '../errors/registry.ts'

/** How often something happened. */
export interface Rate<Name extends string> {
  readonly name: Name
  /** Since the start. */
  readonly count: number
  /** The mean over the window. */
  readonly perSecond: number
}

/** How often calls were made, and refused, in one process. What never happened is left out; the most frequent first. */
export interface CallRates {
  readonly window: Milliseconds
  /** By method, such as `qscope.v1.TokenService/MintToken`. */
  readonly calls: readonly Rate<string>[]
  readonly refusals: readonly Rate<ErrorCode>[]
}

/** How a server is. */
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

/** Tells how the server is. Whoever asks while others do is answered together with them. */
export interface ServerStatusSource {
  read(): Promise<ServerStatus>
}

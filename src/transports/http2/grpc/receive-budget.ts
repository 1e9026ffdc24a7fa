import type { ServerCall } from './server-call.ts'

/** A call whose requests have not all arrived. */
export interface ArrivingCall extends Pick<ServerCall, 'headers' | 'connection' | 'end'> {
  /** Stops reading the requests until `resumeReceiving`. */
  pauseReceiving(): void
  resumeReceiving(): void
}

/** Limits the memory of all calls together while their requests arrive. */
export interface ReceiveBudget {
  /**
   * Registers a call whose requests have not all arrived. `headerBytes`: the size of its headers. From then on, the call may
   * be paused and ended.
   */
  open(call: ArrivingCall, headerBytes: number): ReceivingCall
}

/** The incoming data of a call. */
export interface ReceivingCall {
  /** Announces the size of the first message, including its prefix and the size to which it may inflate. */
  expect(bytes: number): void
  /** A piece has arrived. */
  received(bytes: number): void
  /** All requests have arrived, or the call has ended. */
  close(): void
}

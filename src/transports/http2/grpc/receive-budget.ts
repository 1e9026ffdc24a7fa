import type { ServerCall } from './server-call.ts'

/** A call whose requests are on their way. */
export interface ArrivingCall extends Pick<ServerCall, 'headers' | 'connection' | 'end'> {
  /** Reads no more of it, until `resumeReceiving`. */
  pauseReceiving(): void
  resumeReceiving(): void
}

/** Bounds what all calls together hold while their requests are on their way. */
export interface ReceiveBudget {
  /** A call has begun whose requests have not all arrived. Its headers take so many bytes. It may be paused, and ended, from then on. */
  open(call: ArrivingCall, headerBytes: number): ReceivingCall
}

/** What of a call is on its way. */
export interface ReceivingCall {
  /** How much its first message takes, prefix and what it may inflate to included. */
  expect(bytes: number): void
  /** A piece has come. */
  received(bytes: number): void
  /** All of it has come, or the call has ended. */
  close(): void
}

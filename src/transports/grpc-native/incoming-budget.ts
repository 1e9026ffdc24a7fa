import type { FailedResult } from '../../results.ts'
import type { IncomingCall, IncomingMessage, IncomingMessages } from '../../rpc/incoming-messages.ts'
import type { TransportSettings } from '../grpc/transport.ts'
import type { ArrivingCall, ReceiveBudget } from '../http2/grpc/receive-budget.ts'
import { toCallStatus } from './call.ts'
import type { NativeConnection } from './connection.ts'

/** Counts the messages of all calls while they arrive. */
export class IncomingBudget implements ReceiveBudget {
  readonly #incoming: IncomingMessages
  readonly #statusOf: TransportSettings['statusOf']
  readonly #connectionOf: (call: ArrivingCall) => NativeConnection

  constructor(
    { incoming, statusOf }: Pick<TransportSettings, 'incoming' | 'statusOf'>,
    connectionOf: (call: ArrivingCall) => NativeConnection,
  ) {
    this.#incoming = incoming
    this.#statusOf = statusOf
    this.#connectionOf = connectionOf
  }

  open(call: ArrivingCall, headerBytes: number): IncomingMessage {
    return this.#incoming.open(new CallOnItsWay(call, this.#connectionOf(call), this.#statusOf), headerBytes)
  }
}

class CallOnItsWay implements IncomingCall {
  readonly peer: string
  readonly connection: NativeConnection
  readonly #call: ArrivingCall
  readonly #statusOf: TransportSettings['statusOf']

  constructor(call: ArrivingCall, connection: NativeConnection, statusOf: TransportSettings['statusOf']) {
    this.peer = connection.peer
    this.connection = connection
    this.#call = call
    this.#statusOf = statusOf
  }

  pause(): void {
    this.#call.pauseReceiving()
  }

  resume(): void {
    this.#call.resumeReceiving()
  }

  /** A value of the request metadata. */
  header(name: string): string | undefined {
    return this.#call.headers.get(name)
  }

  refuse(failure: FailedResult): void {
    this.#call.end(toCallStatus(this.#statusOf(failure, this)))
  }
}

import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf'

/** How long a call may take, and who may end it sooner. */
export interface CallOptions {
  /** Ends the call; what was asked may have been done all the same. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds; without it the call waits for as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** An access token, for management calls and for callers that check tokens with `qscope:tokens.read`. */
  readonly bearer?: string | undefined
}

/**
 * A way to QScope: `grpcJsChannel` of `@qscope/client/grpc-js` or
 * `connectChannel` of `@qscope/client/connect`. It never sends a call twice.
 */
export interface Channel {
  /** Throws a `QScopeError`, or the reason of the signal. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>
  /** Throws like `unary`, while it is read. Leaving the loop ends the call. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): AsyncIterable<MessageShape<O>>
}

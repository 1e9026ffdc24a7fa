import type { IncomingMessage, ServerResponse } from 'node:http'
import { createContextKey } from '@connectrpc/connect'
import type { EncodedRequest } from '../../rpc/request-limits/request-parser.ts'

/** One request over HTTP, and what is known of it before anybody answers. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly rayId: string
  /** What the caller asks, as it came; `null`: it was in the URL. */
  message: EncodedRequest | null
}

/** Under which a call's exchange is handed through Connect. */
export const EXCHANGE = createContextKey<Exchange | null>(null, { description: 'the HTTP exchange of a call' })

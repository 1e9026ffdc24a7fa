import type { IncomingMessage, ServerResponse } from 'node:http'
import { cors as connectHeaders } from '@connectrpc/connect'
import cors from 'cors'
import { RAY_ID_KEY } from '../../rpc/trace-context.ts'

/** What browsers keep a permission for; Chrome does for no longer. */
const MAX_AGE_S = 7_200

/** Checks the web page that a request comes from, and answers preflight requests; returns whether the request goes on. */
export type CrossOriginRule = (request: IncomingMessage, response: ServerResponse) => boolean

/**
 * Lets pages of these origins call, in the way of the Fetch standard: a page of
 * another is not told so, which makes its browser refuse. Cookies play no part,
 * so there is nothing that a page could do in a user's name.
 */
export function crossOriginRule(origins: readonly string[]): CrossOriginRule {
  if (origins.length === 0) return () => true
  const handle = cors({
    origin: [...origins],
    methods: [...connectHeaders.allowedMethods],
    allowedHeaders: [...connectHeaders.allowedHeaders, 'Authorization', RAY_ID_KEY, 'Traceparent'],
    exposedHeaders: [...connectHeaders.exposedHeaders, RAY_ID_KEY, 'Retry-After', 'WWW-Authenticate'],
    maxAge: MAX_AGE_S,
  })
  return (request, response) => {
    let isAllowed = false
    // With a list of origins it decides before it returns.
    handle(request, response, () => {
      isAllowed = true
    })
    return isAllowed
  }
}

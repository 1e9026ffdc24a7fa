import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { mediaTypeOf } from '../media-type.ts'
import { http2ServersOf } from './internals.ts'

/** Headers that must not occur twice. */
const SINGLE = Object.freeze(['authorization', 'x-forwarded-client-cert', 'client-cert', 'client-cert-chain'])
const CONTENT_TYPE = 'content-type'
const GRPC = 'application/grpc'
const TIMEOUT = 'grpc-timeout'
/** The largest integer of 32 bits. Some units of gRPC timeouts can exceed it. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const UNITS_MS: Readonly<Record<string, number>> = Object.freeze({ S: 1_000, M: 60_000, H: 3_600_000 })

/**
 * Corrects how grpc-js reads the headers of a call. It passes on every value of the headers that must not occur twice, so
 * that two values can be refused: Node.js silently keeps only the first `authorization` and joins the values of other headers
 * by commas. It recognizes the media type of gRPC regardless of case, which grpc-js compares case-sensitively. It removes a
 * deadline that is more than 24 days away: grpc-js counts milliseconds in 32 bits and would treat such a deadline as passed.
 * Call this when the server is bound.
 */
export function correctRequestHeaders(server: Server): void {
  for (const http2Server of http2ServersOf(server)) http2Server.prependListener('stream', correct)
}

function correct(
  _stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  _flags: number,
  raw: readonly string[],
): void {
  const contentType = headers[CONTENT_TYPE]
  if (contentType !== undefined && !contentType.startsWith(GRPC)) headers[CONTENT_TYPE] = mediaTypeOf(contentType)
  if (isBeyondCounting(headers[TIMEOUT])) delete headers[TIMEOUT]
  for (const name of SINGLE) {
    // Most requests have the header once or not at all.
    if (raw.indexOf(name) === raw.lastIndexOf(name)) continue
    const values = raw.filter((_text, index) => index % 2 === 1 && raw[index - 1] === name)
    Reflect.set(headers, name, values)
  }
}

function isBeyondCounting(timeout: unknown): boolean {
  if (typeof timeout !== 'string') return false
  const unit = UNITS_MS[timeout.slice(-1)]
  return unit !== undefined && Number(timeout.slice(0, -1)) * unit > MAX_TIMEOUT_MS
}

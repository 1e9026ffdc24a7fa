import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { request as encryptedRequest, Agent as TlsAgent } from 'node:https'
import type { LibsqlUrl } from '../../../../domain/libsql-url.ts'
import { messageOf } from '../../../../message-of.ts'
import { DatabaseError } from '../../core/database-error.ts'
import type { ConnectionSettings } from '../../core/dialect.ts'
import { SOCKET_CODES, socketErrorMessage } from '../../server/open-connection.ts'
import { refusalOf } from './errors.ts'

/** A server closes connections that are idle for some seconds. A connection that may be about to close is not used. */
const KEEP_IDLE_MS = 4_000

/**
 * The HTTP transport of the client library, which has no time limits and no configurable CAs itself. Does not follow
 * redirects, because the token is for one host. Throws only `DatabaseError`.
 */
export class HranaTransport {
  readonly #url: LibsqlUrl
  readonly #settings: ConnectionSettings
  readonly #agent: PlainAgent

  constructor(url: LibsqlUrl, settings: ConnectionSettings) {
    // The agent's timeout closes idle connections. Pending requests have a time limit of their own.
    const options = { keepAlive: true, maxSockets: settings.poolSize, timeout: KEEP_IDLE_MS }
    const { tls } = settings
    this.#url = url
    this.#settings = settings
    this.#agent = url.plaintext
      ? new PlainAgent(options)
      : new TlsAgent({ ...options, ...(tls?.ca ? { ca: tls.ca } : {}) })
  }

  /** Replaces the platform's `fetch`. Answers with an error of the protocol are passed on, because the caller reads their code. */
  fetch = async (asked: Request): Promise<Response> => {
    const url = new URL(asked.url)
    // A server may name another host for the rest of a transaction. The token is not sent there in plaintext.
    if ((url.protocol === 'http:') !== this.#url.plaintext) {
      throw new DatabaseError(
        'unavailable',
        'the database refers to a server with another protocol (http or https) than its own',
      )
    }
    const body = Buffer.from(await asked.arrayBuffer())
    const { status, type, text } = await this.#send(url, asked, body).catch((error: unknown) => {
      throw unanswered(error, asked, body)
    })
    const refusal = refusalOf(status, this.#url)
    if (refusal !== null) throw refusal
    return new Response(text, { status, headers: { 'content-type': type } })
  }

  /**
   * Closes the stream of a request that got no answer, with the baton of that request. `true`: the request had not reached
   * the server and never takes effect. `false`: it had. Throws if the server cannot be reached.
   */
  async release({ asked, baton }: UnansweredStreamError): Promise<boolean> {
    const body = Buffer.from(JSON.stringify({ baton, requests: [{ type: 'close' }] }))
    const { status } = await this.#send(new URL(asked.url), asked, body)
    const refusal = refusalOf(status, this.#url)
    if (refusal !== null) throw refusal
    return status < 400
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(url: URL, { method, headers }: Request, body: Buffer): Promise<Answer> {
    const { connectTimeoutMs, statementTimeoutMs } = this.#settings
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const send = this.#url.plaintext ? plainRequest : encryptedRequest
    const sent = send(url, {
      method,
      agent: this.#agent,
      headers: { ...Object.fromEntries(headers), 'content-length': body.length },
    })
    const giveUp = (kind: 'lost' | 'unavailable', message: string) => sent.destroy(new DatabaseError(kind, message))
    const whole = setTimeout(
      () => giveUp('unavailable', `the database did not answer within ${statementTimeoutMs} ms`),
      statementTimeoutMs,
    )
    let connecting: NodeJS.Timeout | null = null
    const connected = () => {
      if (connecting !== null) clearTimeout(connecting)
      connecting = null
    }
    sent.on('socket', (socket) => {
      if (!socket.connecting) return
      connecting = setTimeout(
        () => giveUp('lost', `the database did not accept a connection within ${connectTimeoutMs} ms`),
        connectTimeoutMs,
      )
      socket.once(this.#url.plaintext ? 'connect' : 'secureConnect', connected)
    })
    sent.on('error', (error) => reject(socketError(error)))
    sent.on('response', (response) => {
      readAnswer(response).then(resolve, (error) => reject(socketError(error)))
    })
    sent.on('close', () => {
      clearTimeout(whole)
      connected()
    })
    sent.end(body)
    return promise
  }
}

/** A request on an open stream that got no answer. The stream may still be open and hold the write lock. */
export class UnansweredStreamError extends DatabaseError {
  readonly asked: Request
  readonly baton: string

  constructor({ kind, message, cause }: DatabaseError, asked: Request, baton: string) {
    super(kind, message, cause)
    this.asked = asked
    this.baton = baton
  }
}

function unanswered(error: unknown, asked: Request, body: Buffer): unknown {
  if (!(error instanceof DatabaseError)) return error
  const sent: unknown = JSON.parse(body.toString('utf8'))
  const baton = typeof sent === 'object' && sent !== null && 'baton' in sent ? sent.baton : null
  return typeof baton === 'string' ? new UnansweredStreamError(error, asked, baton) : error
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: response.statusCode ?? 0, type: response.headers['content-type'] ?? 'text/plain', text }
}

function socketError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (SOCKET_CODES.has(code)) return new DatabaseError('lost', socketErrorMessage(code, messageOf(error)), error)
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code.startsWith('HPE_')) {
    return new DatabaseError('lost', `the connection to the database is lost: ${messageOf(error)}`, error)
  }
  return new DatabaseError('unavailable', `the database cannot be connected to: ${messageOf(error)}`, error)
}

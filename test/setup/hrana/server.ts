import { existsSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import Libsql from 'libsql'
import { cursorRequest, pipelineRequest, StreamFailure, type StreamRequest } from './protocol.ts'
import { Replica } from './replica.ts'
import { HranaStream, isReadOnly } from './stream.ts'
import { HeldStreams } from './streams.ts'

export interface HranaServerOptions {
  /** `<name>.db` in it is the database with the path `/<name>/`. */
  readonly directory: string
  /** The required bearer token. `null`: none. */
  readonly token: string | null
  readonly transactionMs: number
  readonly idleMs: number
  /**
   * `hands on`: a replica that answers only read-only programs. `answers all`: a replica that answers every read, whatever is
   * requested with it. `null`: the primary.
   */
  readonly replica: 'hands on' | 'answers all' | null
  readonly lagMs: number
}

const NAME = /^[a-z0-9_]+$/
const ROUTE = /^\/([a-z0-9_]+)\/v([23])(?:\/(pipeline|cursor))?$/

/** Serves libSQL files with "Hrana over HTTP", versions 2 and 3, in JSON. */
export class HranaServer {
  readonly #options: HranaServerOptions
  readonly #streams: HeldStreams
  readonly #replicas = new Map<string, Replica>()
  /** Unused connections by file. */
  readonly #free = new Map<string, Libsql.Database[]>()
  readonly #http: Server

  constructor(options: HranaServerOptions) {
    this.#options = options
    this.#streams = new HeldStreams(options.idleMs)
    this.#http = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => fail(response, error))
    })
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject)
      this.#http.listen(port, '127.0.0.1', resolve)
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/health') return void response.end()
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://server')
    if (pathname.startsWith('/databases/'))
      return this.#administer(request.method ?? '', pathname.slice(11), searchParams, response)
    const [, name, version, endpoint] = ROUTE.exec(request.url ?? '') ?? []
    const file = name === undefined ? null : join(this.#options.directory, `${name}.db`)
    if (file === null || !existsSync(file)) throw new StreamFailure(404, 'there is no such database')
    const { token } = this.#options
    if (token !== null && request.headers.authorization !== `Bearer ${token}`) {
      throw new StreamFailure(401, 'Unauthorized')
    }
    if (endpoint === undefined) return void response.end(`version ${version}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (endpoint === 'pipeline') await this.#pipeline(file, body, response)
    else await this.#cursor(file, body, response)
  }

  /** Creates and drops databases, as servers do with their own interfaces. */
  #administer(method: string, name: string, query: URLSearchParams, response: ServerResponse): void {
    const fileOf = (database: string) => {
      if (!NAME.test(database)) throw new StreamFailure(400, 'this is no name of a database')
      return join(this.#options.directory, `${database}.db`)
    }
    if (method === 'PUT') {
      const from = query.get('from')
      const database = new Libsql(fileOf(from ?? name))
      if (from !== null) database.prepare('vacuum into ?').run([fileOf(name)])
      database.close()
      const made = new Libsql(fileOf(name))
      made.pragma('journal_mode = WAL')
      made.close()
    } else if (method === 'DELETE') {
      for (const database of this.#free.get(fileOf(name)) ?? []) database.close()
      this.#free.delete(fileOf(name))
      for (const end of ['', '-wal', '-shm']) rmSync(fileOf(name) + end, { force: true })
    }
    response.end()
  }

  async #pipeline(file: string, body: unknown, response: ServerResponse): Promise<void> {
    const { baton, requests } = pipelineRequest.parse(body)
    const held = baton ? this.#streams.take(baton) : this.#streams.open(this.#open(file, requests))
    try {
      const results: object[] = []
      for (const request of requests) {
        const outcome = await held.stream.run(request)
        results.push('error' in outcome ? { type: 'error', ...outcome } : { type: 'ok', ...outcome })
      }
      // The caller is gone, and nobody knows the next baton.
      if (response.destroyed) this.#streams.drop(held)
      else send(response, 200, { baton: this.#streams.release(held), base_url: null, results })
    } catch (error) {
      this.#streams.drop(held)
      throw error
    }
  }

  async #cursor(file: string, body: unknown, response: ServerResponse): Promise<void> {
    const { baton, batch } = cursorRequest.parse(body)
    const held = baton ? this.#streams.take(baton) : this.#streams.open(this.#open(file, [{ type: 'batch', batch }]))
    try {
      const { step_results: results, step_errors: errors } = await held.stream.batch(batch)
      const lines: object[] = [{ baton: this.#streams.release(held), base_url: null }]
      for (const [step, result] of results.entries()) {
        const error = errors[step]
        if (error) lines.push({ type: 'step_error', step, error })
        if (result === null) continue
        const { cols, rows, ...end } = result
        lines.push({ type: 'step_begin', step, cols }, ...rows.map((row) => ({ type: 'row', row })))
        lines.push({ type: 'step_end', ...end })
      }
      response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    } catch (error) {
      this.#streams.drop(held)
      throw error
    }
  }

  #open(file: string, requests: readonly StreamRequest[]): HranaStream {
    const { replica, lagMs } = this.#options
    if (replica === null) return this.#streamOn(file)
    const copy = this.#replicas.get(file) ?? new Replica(file, lagMs)
    this.#replicas.set(file, copy)
    const texts = textsOf(requests)
    const local =
      replica === 'hands on'
        ? texts.every(isReadOnly)
        : texts.every((sql) => isReadOnly(sql) || /^\s*pragma\b/i.test(sql)) &&
          !texts.some((sql) => /immediate/i.test(sql))
    return local ? this.#streamOnCopy(copy.file) : this.#streamOn(file)
  }

  /** Connections are reused. A stream's settings end with its transaction. */
  #streamOn(file: string): HranaStream {
    const free = this.#free.get(file) ?? []
    this.#free.set(file, free)
    const database = free.pop() ?? new Libsql(file, { timeout: 0 })
    return new HranaStream(database, this.#options, (again) => {
      if (this.#free.get(file) === free) free.push(again)
      else again.close()
    })
  }

  /** The copy is a new file each time. */
  #streamOnCopy(file: string): HranaStream {
    const database = new Libsql(file, { timeout: 0 })
    database.pragma('query_only = ON')
    return new HranaStream(database, this.#options, (again) => again.close())
  }
}

/** The texts of a program's statements, including stored ones. */
function textsOf(requests: readonly StreamRequest[]): readonly string[] {
  return requests.flatMap((request) => {
    switch (request.type) {
      case 'execute':
        return request.stmt.sql ?? []
      case 'batch':
        return request.batch.steps.flatMap(({ stmt }) => stmt.sql ?? [])
      case 'sequence':
      case 'store_sql':
        return request.sql ?? []
      default:
        return []
    }
  })
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function fail(response: ServerResponse, error: unknown): void {
  if (error instanceof StreamFailure) send(response, error.status, { message: error.message, code: error.code })
  else send(response, error instanceof SyntaxError ? 400 : 500, { message: String(error), code: null })
}

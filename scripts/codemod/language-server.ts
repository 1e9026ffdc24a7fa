import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/** A place in a file, as the Language Server Protocol counts: lines and UTF-16 code units from 0. */
export interface Position {
  readonly line: number
  readonly character: number
}

export interface TextEdit {
  readonly range: { readonly start: Position; readonly end: Position }
  readonly newText: string
}

/** Edits by file URL. */
export type Changes = Readonly<Record<string, readonly TextEdit[]>>

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/**
 * The project's own TypeScript as a language server, over standard input and output
 * (https://microsoft.github.io/language-server-protocol/specification). It answers from the files as they were when it
 * first read them: after edits a new one is started.
 */
export class LanguageServer {
  readonly #process
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #opened = new Set<string>()
  #received: Buffer = Buffer.alloc(0)
  #lastId = 0

  private constructor(root: string) {
    const arguments_ = [`${root}/node_modules/typescript/bin/tsc`, '--lsp', '--stdio']
    this.#process = spawn(process.execPath, arguments_, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process.stdout.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  static async start(root: string): Promise<LanguageServer> {
    const server = new LanguageServer(root)
    const rootUri = pathToFileURL(root).href
    await server.#request('initialize', {
      processId: process.pid,
      rootUri,
      workspaceFolders: [{ uri: rootUri, name: 'project' }],
      capabilities: {},
    })
    server.#notify('initialized', {})
    return server
  }

  /** The edits that give what is declared at a place another name, everywhere. */
  async rename(file: string, position: Position, newName: string): Promise<Changes> {
    const textDocument = { uri: this.#open(file) }
    return changesOf(await this.#request('textDocument/rename', { textDocument, position, newName }))
  }

  async stop(): Promise<void> {
    this.#process.kill()
    await once(this.#process, 'exit')
  }

  #open(file: string): string {
    const uri = pathToFileURL(file).href
    if (this.#opened.has(uri)) return uri
    this.#opened.add(uri)
    const text = readFileSync(file, 'utf8')
    this.#notify('textDocument/didOpen', { textDocument: { uri, languageId: 'typescript', version: 1, text } })
    return uri
  }

  #request(method: string, params: unknown): Promise<unknown> {
    this.#lastId += 1
    const id = this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject })
    this.#send({ jsonrpc: '2.0', id, method, params })
    return promise
  }

  #notify(method: string, params: unknown): void {
    this.#send({ jsonrpc: '2.0', method, params })
  }

  #send(message: unknown): void {
    const body = JSON.stringify(message)
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    for (;;) {
      const headEnd = this.#received.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const length = Number(/Content-Length: (\d+)/i.exec(this.#received.subarray(0, headEnd).toString())?.[1])
      const end = headEnd + 4 + length
      if (this.#received.length < end) return
      this.#handle(JSON.parse(this.#received.subarray(headEnd + 4, end).toString()))
      this.#received = this.#received.subarray(end)
    }
  }

  #handle({ id, method, result, error }: Reply): void {
    if (id === undefined) return
    // What the server asks of an editor, such as its settings, has no answer here.
    if (method !== undefined) {
      this.#send({ jsonrpc: '2.0', id, result: null })
      return
    }
    const asked = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error !== undefined) asked?.reject(new Error(error.message))
    else asked?.resolve(result)
  }
}

function changesOf(answer: unknown): Changes {
  if (typeof answer !== 'object' || answer === null || !('changes' in answer)) return {}
  return answer.changes as Changes
}

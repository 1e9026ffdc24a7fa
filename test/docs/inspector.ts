import { onTestFinished } from 'vitest'

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly callFrames?: readonly CallFrame[]; readonly hitBreakpoints?: readonly string[] }
  readonly result?: object
  readonly error?: { readonly message: string }
}

interface CallFrame {
  readonly functionName: string
  readonly location: { readonly scriptId: string }
}

/** Where a program stands still. */
export interface Pause {
  /** Those that it met. */
  readonly breakpoints: readonly string[]
  readonly functionName: string
  readonly scriptId: string
}

/** A debugger: a client of the inspector of Node.js (the protocol of Chrome's developer tools). */
export class Inspector {
  readonly #socket: WebSocket
  readonly #answers = new Map<number, (message: Message) => void>()
  readonly #pauses: Message[] = []
  #waiting: ((message: Message) => void) | null = null
  #sent = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data))))
    onTestFinished(() => socket.close())
  }

  /** @param url As a process prints it: `ws://127.0.0.1:9229/…`. */
  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url)
    await new Promise<void>((opened, failed) => {
      socket.addEventListener('open', () => opened())
      socket.addEventListener('error', () => failed(new Error(`no inspector at ${url}`)))
    })
    const inspector = new Inspector(socket)
    await inspector.send('Runtime.enable')
    await inspector.send('Debugger.enable')
    return inspector
  }

  async send(method: string, params: object = {}): Promise<object> {
    this.#sent += 1
    const id = this.#sent
    const answer = await new Promise<Message>((done) => {
      this.#answers.set(id, done)
      this.#socket.send(JSON.stringify({ id, method, params }))
    })
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`)
    return answer.result ?? {}
  }

  /** @param line Counted from 0. */
  async breakInFile(urlRegex: string, line: number): Promise<string> {
    return breakpointOf(await this.send('Debugger.setBreakpointByUrl', { urlRegex, lineNumber: line }))
  }

  /** Breaks where a script that is loaded has a text: after a transformation its lines are not those of the file. */
  async breakInScript(scriptId: string, text: string): Promise<string> {
    const script = await this.send('Debugger.getScriptSource', { scriptId })
    const lines = 'scriptSource' in script ? String(script.scriptSource).split('\n') : []
    const lineNumber = lines.findIndex((line) => line.includes(text))
    if (lineNumber === -1) throw new Error(`the script has no ${text}`)
    return breakpointOf(await this.send('Debugger.setBreakpoint', { location: { scriptId, lineNumber } }))
  }

  /** Waits until the program stands still. */
  async paused(): Promise<Pause> {
    const { params } =
      this.#pauses.shift() ??
      (await new Promise<Message>((done) => {
        this.#waiting = done
      }))
    const [frame] = params?.callFrames ?? []
    return {
      breakpoints: params?.hitBreakpoints ?? [],
      functionName: frame?.functionName ?? '',
      scriptId: frame?.location.scriptId ?? '',
    }
  }

  /** Lets the program go on until it meets a breakpoint. */
  async resumeUntil(breakpoint: string): Promise<Pause> {
    for (;;) {
      const pause = await this.paused()
      if (pause.breakpoints.includes(breakpoint)) return pause
      await this.send('Debugger.resume')
    }
  }

  close(): void {
    this.#socket.close()
  }

  #take(message: Message): void {
    if (message.id !== undefined) {
      this.#answers.get(message.id)?.(message)
      this.#answers.delete(message.id)
    } else if (message.method === 'Debugger.paused') {
      if (this.#waiting === null) this.#pauses.push(message)
      else this.#waiting(message)
      this.#waiting = null
    }
  }
}

function breakpointOf(set: object): string {
  if (!('breakpointId' in set)) throw new Error('no breakpoint was set')
  return String(set.breakpointId)
}

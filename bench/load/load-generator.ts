import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Job, LoadMessage, LoadResult } from './job.ts'

const PROCESS = join(import.meta.dirname, 'process.ts')

/** The parent's side of the load process. */
export class LoadGenerator {
  readonly #child: ChildProcess

  constructor() {
    // Transfers buffers without conversion.
    this.#child = fork(PROCESS, { serialization: 'advanced' })
  }

  /** `begun` is called when the connections are open and the time starts. */
  run(job: Job, begun: () => void): Promise<LoadResult> {
    return new Promise((resolve, reject) => {
      const gone = () => settle(() => reject(new Error('the load process ended')))
      const hear = (message: LoadMessage) => {
        switch (message.kind) {
          case 'begun':
            begun()
            break
          case 'ended':
            settle(() => resolve(message.result))
            break
          case 'failed':
            settle(() => reject(new Error(`the load failed: ${message.reason}`)))
            break
          default:
            message satisfies never
        }
      }
      const settle = (end: () => void) => {
        this.#child.off('message', hear)
        this.#child.off('exit', gone)
        end()
      }
      this.#child.on('message', hear)
      this.#child.once('exit', gone)
      this.#child.send(job)
    })
  }

  stop(): void {
    this.#child.disconnect()
  }
}

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { AuditEvent } from '../../domain/audit-event.ts'
import { auditEventJson } from '../../rpc/convert/audit.ts'
import type { AuditProjection } from '../jobs/audit-follower.ts'

/** Only the owner may read the events. */
const MODE = 0o600
/** Appends, and reads the existing content. Does not wait for the reader of a pipe. */
const FLAGS = constants.O_APPEND | constants.O_CREAT | constants.O_RDWR | constants.O_NONBLOCK
const NEWLINE = 0x0a

/** Appends events to a file as lines of JSON, with the field names of the contract. */
export class JsonLinesFile implements AuditProjection {
  readonly name = 'audit-file'
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** Reopened for each delivery, so that a moved file is replaced by a new one. Durable when this resolves. */
  async deliver(events: readonly AuditEvent[]): Promise<void> {
    const file = await open(this.#path, FLAGS, MODE)
    try {
      await assertRegular(file, this.#path)
      const isTorn = await endsWithinLine(file)
      await file.appendFile(`${isTorn ? '\n' : ''}${jsonLines(events)}`)
      await file.datasync()
    } finally {
      await file.close()
    }
  }
}

/** The same on standard output. */
export class JsonLinesOutput implements AuditProjection {
  readonly name = 'audit-stdout'
  readonly #output: NodeJS.WritableStream

  constructor(output: NodeJS.WritableStream) {
    this.#output = output
  }

  /** Resolves when the stream has accepted the events. A slow reader delays only this sink. */
  async deliver(events: readonly AuditEvent[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#output.write(jsonLines(events), (error) => {
      if (error) reject(error)
      else resolve()
    })
    await promise
  }
}

function jsonLines(events: readonly AuditEvent[]): string {
  return events.map((event) => `${auditEventJson(event)}\n`).join('')
}

/** A write to a pipe without a reader would never end, even at exit, and would not be durable. */
async function assertRegular(file: FileHandle, path: string): Promise<void> {
  if (!(await file.stat()).isFile()) throw new Error(`${path} is not a regular file`)
}

/** Whether a process died while writing the last line. That event is then delivered again. */
async function endsWithinLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] !== NEWLINE
}

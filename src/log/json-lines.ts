import manifest from '../../package.json' with { type: 'json' }

/** The fields of every line of a process that shares its output with others. */
export type LineFields = Readonly<Record<string, number | string>>

const ORIGIN = `,"service":"qscope","version":${JSON.stringify(manifest.version)},"msg":`

/**
 * Formats log records as lines of JSON, which begin with level, time, service, version and message.
 * Every call writes a line, so the head of the line is computed once a millisecond and reused.
 */
export class JsonLines {
  /** The fields that follow the message in every line. */
  readonly #base: string
  #at = Number.NaN
  #head = ''

  constructor(base: LineFields | null) {
    this.#base = base === null ? '' : membersOf(base)
  }

  /** A line with its line break. A value without a JSON form, such as a cycle, is replaced by a note, so logging never fails. */
  line(level: string, fields: object, message: string): string {
    return `{"level":"${level}"${this.#headNow()}${JSON.stringify(message)}${this.#base}${membersOf(fields)}}\n`
  }

  #headNow(): string {
    const now = Date.now()
    if (now !== this.#at) {
      this.#at = now
      this.#head = `,"time":"${new Date(now).toISOString()}"${ORIGIN}`
    }
    return this.#head
  }
}

/** The members of an object as JSON, each with a comma before it. */
function membersOf(fields: object): string {
  const json = jsonOf('err' in fields ? { ...fields, err: serializeError(fields.err) } : fields)
  return json.length > 2 ? `,${json.slice(1, -1)}` : ''
}

function jsonOf(fields: object): string {
  try {
    return JSON.stringify(fields)
  } catch (error) {
    return JSON.stringify({ notWritten: Object.keys(fields), because: String(error) })
  }
}

const MAX_CAUSES = 4

/**
 * An error as it may be logged: only known members, since drivers hang
 * statements and their parameters on their errors.
 */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? error.code : null
  return {
    type: error.name,
    message: error.message,
    ...(code === null ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: serializeError(error.cause, depth + 1) }),
  }
}

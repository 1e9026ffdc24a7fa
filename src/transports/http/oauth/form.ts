import { invalidRequest, type Result, success } from '../../../results.ts'

/** Many more parameters than any request needs. The limit bounds the time for reading them. */
const MOST_PARAMETERS = 200
/** RFC 8707 §2, RFC 8693 §2.1: a token may be for several targets. */
export const REPEATABLE: ReadonlySet<string> = new Set(['resource', 'audience'])
/** Names of parameters that may be repeated in answers and logs. Any other name may contain anything. */
const NAME = /^[a-z_]{1,40}$/
const NONE: readonly string[] = Object.freeze([])

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The parameters of a request (RFC 6749 §3.2). Parameters without a value are treated as omitted. */
export class Form {
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values
  }

  /** The value of a parameter that occurs once; `undefined` if it was omitted. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }

  /** All values of a parameter that may be repeated. */
  list(name: string): readonly string[] {
    return this.#values.get(name) ?? NONE
  }
}

/**
 * Reads `application/x-www-form-urlencoded` in UTF-8 (RFC 6749 Appendix B). Ambiguous input is refused: a percent sign that
 * encodes nothing, bytes that are not UTF-8, and a repeated parameter (§3.2).
 */
export function parseForm(body: Uint8Array): Result<Form> {
  const values = new Map<string, readonly string[]>()
  const seen = new Set<string>()
  let count = 0
  for (const pair of decoded(body)?.split('&') ?? ['%']) {
    if (pair === '') continue
    count += 1
    if (count > MOST_PARAMETERS) return invalidRequest('', `has more than ${MOST_PARAMETERS} parameters`)
    const equals = pair.indexOf('=')
    const name = formDecoded(equals < 0 ? pair : pair.slice(0, equals))
    const value = formDecoded(equals < 0 ? '' : pair.slice(equals + 1))
    if (name === null || value === null) {
      return invalidRequest(shownName(name), 'must be form-encoded UTF-8 (RFC 6749 Appendix B)')
    }
    const repeated = seen.has(name)
    if (repeated && !REPEATABLE.has(name)) {
      return invalidRequest(shownName(name), 'must not occur more than once')
    }
    seen.add(name)
    if (value !== '') values.set(name, repeated ? [...(values.get(name) ?? NONE), value] : [value])
  }
  return success(new Form(values))
}

/** A parameter's name for an answer; empty, as for the request itself, if it may not be repeated there. */
export function shownName(name: string | null | undefined): string {
  return name && NAME.test(name) ? name : ''
}

function decoded(body: Uint8Array): string | null {
  try {
    return utf8.decode(body)
  } catch {
    return null
  }
}

/** `null`: the input does not encode a text. */
function formDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return null
  }
}

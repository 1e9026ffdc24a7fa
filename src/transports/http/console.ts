import type { Endpoint } from './endpoints.ts'
import type { Answer } from './exchange/answer.ts'
import type { HttpCallInfo } from './exchange/http-call-info.ts'

const CONSOLE_PATH = '/console/'
const INDEX = 'index.html'

/** A file of the console with all its content codings. */
export interface ConsoleFile {
  /** The path relative to the console's own path, such as `assets/main-1a2b3c4d.js`. */
  readonly name: string
  readonly contentType: string
  readonly bytes: Uint8Array
  /** The encoded contents by the name of the coding (RFC 9110 §8.4.1). */
  readonly coded: ReadonlyMap<'br' | 'gzip', Uint8Array>
}

/** The page may load, run, request and be framed only from the server itself, and no text becomes markup or script. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const HEADERS = Object.freeze({
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
})

/** The name of an asset contains a hash of its content, so the content never changes. */
const FOR_EVER = 'public, max-age=31536000, immutable'
/** The page names the assets of this version, so browsers revalidate it each time. */
const ASK_AGAIN = 'no-cache'

/** Creates one endpoint for each file. Only these exact paths exist, so no spelling of a path reaches another file. */
export function consoleEndpoints(files: readonly ConsoleFile[]): readonly Endpoint[] {
  if (files.length === 0) return []
  return [...files.map((file) => new ConsoleFileEndpoint(file)), new ConsoleRedirect(), new DevicePageRedirect()]
}

class ConsoleFileEndpoint implements Endpoint {
  readonly path: string
  readonly #file: ConsoleFile
  readonly #cacheControl: string

  constructor(file: ConsoleFile) {
    const isIndex = file.name === INDEX
    this.path = `${CONSOLE_PATH}${isIndex ? '' : file.name}`
    this.#file = file
    this.#cacheControl = isIndex ? ASK_AGAIN : FOR_EVER
  }

  answer(info: HttpCallInfo): Answer {
    const { contentType, coded, bytes } = this.#file
    const coding = codingFor(info.header('accept-encoding') ?? '')
    const body = coding === null ? undefined : coded.get(coding)
    return {
      status: 200,
      contentType,
      cacheControl: this.#cacheControl,
      headers: { ...HEADERS, vary: 'accept-encoding', ...(body && coding && { 'content-encoding': coding }) },
      body: body ?? bytes,
    }
  }
}

/** Redirects to `/console/`, because relative addresses of the page are below it. */
class ConsoleRedirect implements Endpoint {
  readonly path = '/console'

  answer(): Answer {
    return { status: 308, contentType: null, headers: { ...HEADERS, location: CONSOLE_PATH }, body: '' }
  }
}

/**
 * The verification URI of a server whose users enter device codes in the console (RFC 8628 §3.3). A user code in the
 * query (§3.3.1) moves behind `#`, which browsers send to no server and the page removes from the address.
 */
class DevicePageRedirect implements Endpoint {
  readonly path = `${CONSOLE_PATH}device`

  answer({ query }: HttpCallInfo): Answer {
    const userCode = query.get('user_code')
    const parameters = userCode === null ? '' : `?${new URLSearchParams({ user_code: userCode })}`
    const location = `${CONSOLE_PATH}#/devices${parameters}`
    return { status: 303, contentType: null, headers: { ...HEADERS, location }, body: '' }
  }
}

/** The better of the codings that the caller accepts (RFC 9110 §12.5.3); `null`: no coding. */
export function codingFor(accepted: string): 'br' | 'gzip' | null {
  const named = new Set(
    accepted
      .toLowerCase()
      .split(',')
      .map((part) => part.replaceAll(/\s/g, ''))
      .filter((part) => !/;q=0(\.0*)?$/.test(part))
      .map((part) => part.split(';', 1).join('')),
  )
  if (named.has('br')) return 'br'
  return named.has('gzip') ? 'gzip' : null
}

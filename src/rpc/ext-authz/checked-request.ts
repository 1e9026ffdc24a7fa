import { X509Certificate } from 'node:crypto'
import { type CertificateThumbprint, thumbprintOf } from '../../domain/certificate.ts'
import type {
  AttributeContext,
  AttributeContext_HttpRequest,
} from '../../gen/envoy/service/auth/v3/attribute_context_pb.ts'

/** RFC 6750 §2.1. It contains no comma, so values that a proxy has joined do not match. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i
const GRPC = /^application\/grpc(?:$|[+;\s])/i
const CERTIFICATE_END = '-----END CERTIFICATE-----'

/** The request that a proxy asks about, as its sender sent it. */
export class CheckedRequest {
  /** All header fields, as the proxy reported them. Names may occur more than once. */
  readonly #headers: readonly (readonly [name: string, value: string])[]
  readonly #certificate: string

  constructor({ request, source }: AttributeContext) {
    this.#headers = request?.http === undefined ? [] : headersOf(request.http)
    this.#certificate = source?.certificate ?? ''
  }

  /** Every value of `authorization`. */
  get authorization(): readonly string[] {
    return this.#valuesOf('authorization')
  }

  /** The bearer token of the request; `null` if there is none, more than one, or a malformed one. */
  get bearer(): string | null {
    const [value = '', ...others] = this.authorization
    return others.length > 0 ? null : (BEARER.exec(value)?.[1] ?? null)
  }

  get isGrpc(): boolean {
    return this.#valuesOf('content-type').some((value) => GRPC.test(value))
  }

  /** The thumbprint of the sender's client certificate; `null` if the proxy reported none, or a malformed one. */
  get certificate(): CertificateThumbprint | null {
    if (this.#certificate === '') return null
    try {
      const pem = decodeURIComponent(this.#certificate)
      // The first is the sender's own; those that issued it come after.
      const own = new X509Certificate(pem.slice(0, pem.indexOf(CERTIFICATE_END) + CERTIFICATE_END.length))
      return thumbprintOf(Buffer.from(own.fingerprint256.replaceAll(':', ''), 'hex'))
    } catch {
      // A malformed certificate proves nothing, so a token bound to a certificate is refused.
      return null
    }
  }

  /** The names that the sender used of those that begin with a prefix, `_` taken for `-` as many servers do. */
  namesWithPrefix(prefix: string): readonly string[] {
    const names = this.#headers.map(([name]) => name)
    return [...new Set(names.filter((name) => name.replaceAll('_', '-').startsWith(prefix)))]
  }

  #valuesOf(wanted: string): readonly string[] {
    return this.#headers.filter(([name]) => name === wanted).map(([, value]) => value)
  }
}

/** Envoy reports headers as a map, with the values of one name joined, or one by one (`encode_raw_headers`). */
function headersOf({ headers, headerMap }: AttributeContext_HttpRequest): readonly (readonly [string, string])[] {
  const joined = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const single = headerMap?.headers ?? []
  return [
    ...joined,
    ...single.map(
      ({ key, value, rawValue }) =>
        [key.toLowerCase(), rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value] as const,
    ),
  ]
}

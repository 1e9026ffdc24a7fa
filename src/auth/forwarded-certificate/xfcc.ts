import type { X509Certificate } from 'node:crypto'
import { hash } from 'node:crypto'
import { certificateOf, MOST_CERTIFICATES, type ReadHeader } from './told-certificate.ts'

const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g
const KEY = /^[A-Za-z]+$/

/**
 * Parses `x-forwarded-client-cert`, Envoy's header. It is a list of elements separated by commas, one for each proxy on
 * the path. An element is a list of `Key=value` pairs separated by semicolons. Values may be quoted, with `\"` for a
 * quote. Exactly one element is accepted. It must contain the whole certificate as URL-encoded PEM: in `Cert`, or as
 * the first in `Chain`. A `Hash` must match the certificate: Envoy writes names from certificates without quotes, so a
 * name could add a `Cert`, but not a second `Hash`.
 */
export function readForwardedClientCert(text: string): ReadHeader {
  const pairs = pairsOf(text)
  if (typeof pairs === 'string') return { problem: pairs }
  const read = new Map<string, string>()
  for (const key of ['cert', 'chain', 'hash']) {
    const [value, ...more] = pairs.filter((pair) => pair.key === key).map((pair) => pair.value)
    if (more.length > 0) return { problem: `has ${key} more than once` }
    if (value !== undefined) read.set(key, value)
  }
  const [cert, chain] = [certificatesIn(read.get('cert')), certificatesIn(read.get('chain'))]
  if (cert === null || chain === null || cert.length > 1) {
    return { problem: 'has a Cert or Chain that is not URL-encoded PEM of certificates' }
  }
  const leaf = cert[0] ?? chain[0]
  if (leaf === undefined) return { problem: 'does not have the whole certificate of the caller: Cert or Chain' }
  if (chain[0] !== undefined && !chain[0].raw.equals(leaf.raw))
    return { problem: 'has a Chain that does not begin with Cert' }
  const told = read.get('hash')
  if (told !== undefined && told.toLowerCase() !== hash('sha256', leaf.raw, 'hex')) {
    return { problem: 'has the Hash of another certificate' }
  }
  return { leaf, chain: chain.slice(1) }
}

interface Pair {
  /** In lower case, because keys are case-insensitive. */
  readonly key: string
  readonly value: string
}

/** The pairs of the single element, or the problem with it. */
function pairsOf(text: string): readonly Pair[] | string {
  const pairs: Pair[] = []
  for (let at = 0; ; ) {
    const equals = text.indexOf('=', at)
    const key = text.slice(at, equals < 0 ? undefined : equals)
    if (equals < 0 || !KEY.test(key)) return 'cannot be read'
    const value = text[equals + 1] === '"' ? quoted(text, equals + 2) : plain(text, equals + 1)
    if (value === null) return 'cannot be read'
    pairs.push({ key: key.toLowerCase(), value: value.text })
    if (value.end === text.length) return pairs
    if (text[value.end] === ',')
      return 'has several elements, but must have only the one of the proxy in front of this server'
    if (text[value.end] !== ';') return 'cannot be read'
    at = value.end + 1
  }
}

/** `end`: the index after the value. */
interface Value {
  readonly text: string
  readonly end: number
}

/** Reads an unquoted value from this index to the next separator. A quote in it is not interpreted. */
function plain(text: string, from: number): Value | null {
  let end = from
  while (end < text.length && text[end] !== ',' && text[end] !== ';') end += 1
  const value = text.slice(from, end)
  return value.includes('"') ? null : { text: value, end }
}

/** Reads a value whose opening quote is before this index. `null`: the closing quote is missing. */
function quoted(text: string, from: number): Value | null {
  let value = ''
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '"') return { text: value, end: at + 1 }
    if (text[at] === '\\' && at + 1 < text.length) at += 1
    value += text[at]
  }
  return null
}

/** The certificates of URL-encoded PEM, separated only by white space. `null`: the text is anything else. */
function certificatesIn(encoded: string | undefined): readonly X509Certificate[] | null {
  if (encoded === undefined) return []
  const text = decoded(encoded)
  if (text === null || text.replaceAll(PEM, '').trim() !== '') return null
  const blocks = Array.from(text.matchAll(PEM), ([, base64 = '']) => Buffer.from(base64, 'base64'))
  if (blocks.length === 0 || blocks.length > MOST_CERTIFICATES + 1) return null
  const certificates = blocks.map(certificateOf).filter((each) => each !== null)
  return certificates.length === blocks.length ? certificates : null
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

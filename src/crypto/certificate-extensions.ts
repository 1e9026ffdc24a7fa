import type { X509Certificate } from 'node:crypto'

/** The extensions of a certificate that restrict its use and that Node.js does not report (RFC 5280 §4.2). */
export interface CertificateExtensions {
  /** Whether `basicConstraints` says that it is a CA. For Node.js it is none if its key may not sign certificates. */
  readonly isCa: boolean
  /** The most CAs that may follow on the path to a leaf. `null`: any number. */
  readonly pathLength: number | null
  /** The bits of `keyUsage`. Bit 0 is `digitalSignature`. `null`: any use. */
  readonly keyUsage: ReadonlySet<number> | null
  readonly hasNameConstraints: boolean
  /** Whether `verifyPath` evaluates each critical extension, or the extension only informs. */
  readonly areUnderstood: boolean
}

/** Bits of `keyUsage`. */
export const DIGITAL_SIGNATURE = 0
export const KEY_AGREEMENT = 4
export const KEY_CERT_SIGN = 5
export const CRL_SIGN = 6

const SEQUENCE = 0x30
const BOOLEAN = 0x01
const INTEGER = 0x02
const BIT_STRING = 0x03
const OBJECT_IDENTIFIER = 0x06
/** `[3] EXPLICIT` of TBSCertificate. */
const EXTENSIONS = 0xa3

const KEY_USAGE = '551d0f'
const SUBJECT_ALTERNATIVE_NAME = '551d11'
const BASIC_CONSTRAINTS = '551d13'
const NAME_CONSTRAINTS = '551d1e'
const EXTENDED_KEY_USAGE = '551d25'
const EVALUATED: ReadonlySet<string> = new Set([
  KEY_USAGE,
  SUBJECT_ALTERNATIVE_NAME,
  BASIC_CONSTRAINTS,
  NAME_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
])

/** `null`: the extensions cannot be parsed, or a critical one is not evaluated. */
export function extensionsOf(certificate: X509Certificate): CertificateExtensions | null {
  try {
    const extensions = readExtensions(certificate)
    return extensions.areUnderstood ? extensions : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Parses the extensions of a certificate. @throws RangeError for invalid DER. */
export function readExtensions({ raw }: X509Certificate): CertificateExtensions {
  const [certificate] = elementsOf(raw)
  const [signed] = elementsOf(contentOf(certificate, SEQUENCE))
  const wrapped = elementsOf(contentOf(signed, SEQUENCE)).find(({ tag }) => tag === EXTENSIONS)
  const [list] = wrapped === undefined ? [] : elementsOf(wrapped.content)
  const extensions = list === undefined ? [] : elementsOf(contentOf(list, SEQUENCE)).map(readExtension)
  const valueIn = (id: string) => extensions.find((each) => each.id === id)?.value ?? null
  const constraints = basicConstraintsIn(valueIn(BASIC_CONSTRAINTS))
  return {
    isCa: constraints.some(isTrue),
    pathLength: pathLengthIn(constraints),
    keyUsage: keyUsageIn(valueIn(KEY_USAGE)),
    hasNameConstraints: valueIn(NAME_CONSTRAINTS) !== null,
    areUnderstood: extensions.every(({ id, critical }) => !critical || EVALUATED.has(id)),
  }
}

interface Element {
  readonly tag: number
  readonly content: Buffer
}

interface Extension {
  /** The object identifier, as its DER in hexadecimal. */
  readonly id: string
  readonly critical: boolean
  readonly value: Buffer
}

function readExtension(element: Element): Extension {
  const [id, ...rest] = elementsOf(contentOf(element, SEQUENCE))
  const value = rest.at(-1)
  if (value === undefined) throw new RangeError('an extension has a value')
  return {
    id: contentOf(id, OBJECT_IDENTIFIER).toString('hex'),
    critical: rest.some(isTrue),
    value: value.content,
  }
}

function isTrue({ tag, content }: Element): boolean {
  return tag === BOOLEAN && content[0] !== 0
}

function basicConstraintsIn(value: Buffer | null): readonly Element[] {
  if (value === null) return []
  const [constraints] = elementsOf(value)
  return elementsOf(contentOf(constraints, SEQUENCE))
}

function pathLengthIn(constraints: readonly Element[]): number | null {
  const length = constraints.find(({ tag }) => tag === INTEGER)
  if (length === undefined) return null
  // A longer number exceeds any number of CAs.
  return length.content.byteLength > 4 ? 0 : length.content.readIntBE(0, length.content.byteLength)
}

function keyUsageIn(value: Buffer | null): ReadonlySet<number> | null {
  if (value === null) return null
  const [bits] = elementsOf(value)
  // The first byte is the number of unused bits in the last one.
  const bytes = contentOf(bits, BIT_STRING).subarray(1)
  const set = Array.from({ length: bytes.byteLength * 8 }, (_, bit) => bit)
  return new Set(set.filter((bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0))
}

function contentOf(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new RangeError(`DER: no element ${tag}`)
  return element.content
}

/** The consecutive elements in DER (X.690 §8.1, §10.1). Their tags have one byte. */
function elementsOf(bytes: Buffer): readonly Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    const tag = bytes.readUInt8(at)
    const first = bytes.readUInt8(at + 1)
    const more = first < 0x80 ? 0 : first - 0x80
    if (first === 0x80 || more > 4) throw new RangeError('DER: the length of an element is not definite')
    const from = at + 2 + more
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more)
    if (from + length > bytes.byteLength) throw new RangeError('DER: an element is longer than what is left')
    elements.push({ tag, content: bytes.subarray(from, from + length) })
    at = from + length
  }
  return elements
}

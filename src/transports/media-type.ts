/** RFC 9110 §5.6.6: a parameter whose value is a token or a quoted string. */
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]*)/i
const UTF8 = /^utf-?8$/i

/**
 * The media type of a `content-type` for comparison: in lower case (RFC 9110 §8.3.1) and without parameters. A type with an
 * encoding other than UTF-8 keeps its parameters, so that it is not taken for UTF-8.
 */
export function mediaTypeOf(contentType: string): string {
  const [, charset] = CHARSET.exec(contentType) ?? []
  if (charset !== undefined && !UTF8.test(charset)) return contentType
  return contentType.split(';', 1).join('').trim().toLowerCase()
}

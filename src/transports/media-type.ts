/** RFC 9110 §5.6.6: a parameter, its value as a token or between quotes. */
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]*)/i
const UTF8 = /^utf-?8$/i

/**
 * The media type of a `content-type` as servers compare it: in lower case (RFC
 * 9110 §8.3.1) and without parameters. One in another encoding than UTF-8 stays
 * as it is, so that nobody takes it for one in UTF-8.
 */
export function mediaTypeOf(contentType: string): string {
  const [, charset] = CHARSET.exec(contentType) ?? []
  if (charset !== undefined && !UTF8.test(charset)) return contentType
  return contentType.split(';', 1).join('').trim().toLowerCase()
}

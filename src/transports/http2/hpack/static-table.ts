import { HeaderField } from './header-field.ts'

/** RFC 7541 Appendix A, from index 1. */
const ENTRIES = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`

/** The field with index `i` is at position `i - 1`. */
export const STATIC_TABLE: readonly HeaderField[] = Object.freeze(
  ENTRIES.split('\n').map((line) => {
    const end = line.includes(' ') ? line.indexOf(' ') : line.length
    return new HeaderField(line.slice(0, end), line.slice(end + 1))
  }),
)

const NAMES: ReadonlyMap<string, number> = new Map(
  STATIC_TABLE.map((field, at) => [field.name, at + 1] as const).toReversed(),
)

/** The lowest index of a name; 0 if the name is not in the table. */
export function staticIndexOfName(name: string): number {
  return NAMES.get(name) ?? 0
}

/** The index of a field, given the lowest index of its name; 0 if the field is not in the table. */
export function staticIndexOfField(nameIndex: number, { name, value }: HeaderField): number {
  if (nameIndex === 0) return 0
  for (let index = nameIndex; STATIC_TABLE[index - 1]?.name === name; index += 1) {
    if (STATIC_TABLE[index - 1]?.value === value) return index
  }
  return 0
}

/** What `grpc-message` holds as it is: printable ASCII but for the percent sign. */
const PLAIN = /^[ -$&-~]*$/
const HEX = '0123456789ABCDEF'
const PERCENT = 0x25

/** A status message for a header field: its UTF-8, percent-encoded where it is not printable ASCII ("gRPC over HTTP2", Percent-Encoded). */
export function percentEncoded(message: string): string {
  if (PLAIN.test(message)) return message
  let encoded = ''
  for (const byte of Buffer.from(message, 'utf8')) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== PERCENT) encoded += String.fromCharCode(byte)
    else encoded += `%${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`
  }
  return encoded
}

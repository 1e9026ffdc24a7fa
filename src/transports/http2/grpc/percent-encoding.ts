/** The characters that `grpc-message` contains unchanged: printable ASCII except the percent sign. */
const PLAIN = /^[ -$&-~]*$/
const HEX = '0123456789ABCDEF'
const PERCENT = 0x25

/**
 * Encodes a status message for a header field: in UTF-8, with percent-encoding of all but printable ASCII ("gRPC over HTTP2",
 * Percent-Encoded).
 */
export function percentEncoded(message: string): string {
  if (PLAIN.test(message)) return message
  let encoded = ''
  for (const byte of Buffer.from(message, 'utf8')) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== PERCENT) encoded += String.fromCharCode(byte)
    else encoded += `%${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`
  }
  return encoded
}

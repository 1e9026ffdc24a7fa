/** The parts of the database protocols that a proxy needs. */

/** Whether a message is a `commit` statement or ends with one, in the protocol of MySQL, PostgreSQL or libSQL. */
export function isCommit(bytes: Buffer): boolean {
  const isOwn = bytes.byteLength < 32 && bytes.includes('commit')
  return isOwn || bytes.subarray(-7).equals(Buffer.from(';commit')) || bytes.includes(PARSED_COMMIT) || isHrana(bytes)
}

/** The end of PostgreSQL's Parse message for `commit`: the text, and no parameter types. */
const PARSED_COMMIT = Buffer.from('commit\0\0\0')

function isHrana(bytes: Buffer): boolean {
  return bytes.includes('"sql":"COMMIT"')
}

/** Whether the server has answered everything that was sent. If a connection breaks before, the server cannot continue. */
export function isWhole(answer: Buffer, protocol: string): boolean {
  if (protocol.startsWith('postgres')) return answer.at(READY_FOR_QUERY.at) === READY_FOR_QUERY.type
  return protocol.startsWith('mysql') || protocol.startsWith('mariadb') ? hasLastPacket(answer) : true
}

/** PostgreSQL's last message of an answer: six bytes. */
const READY_FOR_QUERY = { at: -6, type: 'Z'.charCodeAt(0) }

const PACKET_HEADER_BYTES = 4
const OK_PACKET = 0x00
const MORE_RESULTS_FOLLOW = 0x0008

/** MySQL: an OK packet without a following one, or an error. */
function hasLastPacket(answer: Buffer): boolean {
  let last = answer.subarray(0, 0)
  for (let at = 0; at + PACKET_HEADER_BYTES <= answer.length; at += PACKET_HEADER_BYTES + answer.readUIntLE(at, 3)) {
    last = answer.subarray(at + PACKET_HEADER_BYTES)
  }
  if (last[0] !== OK_PACKET) return last.length > 0
  const flagsAt = 1 + integerBytes(last[1]) + integerBytes(last[1 + integerBytes(last[1])])
  return (last.readUInt16LE(flagsAt) & MORE_RESULTS_FOLLOW) === 0
}

/** The length of an integer, by its first byte. */
function integerBytes(first = 0): number {
  return first < 0xfb ? 1 : first - 0xfa + 1 + (first === 0xfe ? 4 : 0)
}

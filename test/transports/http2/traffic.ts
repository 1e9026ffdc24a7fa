import {
  data,
  FLAG,
  frame,
  literals,
  PREFACE,
  request,
  rstStream,
  SETTINGS_ACK,
  settings,
  TYPE,
  uint32,
  windowUpdate,
} from './wire.ts'

/** A number in [0, 1). */
type Random = () => number

const upTo = (random: Random, most: number) => Math.floor(random() * (most + 1))
const PRIORITY = Buffer.concat([uint32(0), Buffer.of(15)])

/** Valid frames of a client, in order; requests overlap. */
export function honestFrames(random: Random, requests: number): readonly Buffer[] {
  const frames: Buffer[] = []
  const open: Buffer[][] = []
  for (let at = 0; at < requests; at += 1) open.push(requestFrames(random, 2 * at + 1))
  // Stream numbers must increase, so a request may begin only after all earlier ones.
  let begun = 0
  while (open.some((each) => each.length > 0)) {
    const at = upTo(random, Math.min(begun, open.length - 1))
    const next = open[at]?.shift()
    if (next === undefined) {
      if (at === begun) begun += 1
      continue
    }
    if (at === begun) begun += 1
    frames.push(next)
    if (random() < 0.1) frames.push(asideFrame(random))
  }
  return frames
}

/** The frames of one request. A header block is one buffer, because other frames may not interrupt it. */
function requestFrames(random: Random, id: number): Buffer[] {
  const content = `content of ${id}, `.repeat(upTo(random, 4))
  const fields = request(`/path-of-${id}`, random() < 0.3 ? [['content-length', String(content.length)]] : [])
  const trailers = random() < 0.2
  const endsWithHeaders = content === '' && !trailers && random() < 0.8
  const frames = [headerFrames(random, id, literals(fields), endsWithHeaders)]
  let left = content
  while (left !== '') {
    const part = left.slice(0, 1 + upTo(random, 40))
    left = left.slice(part.length)
    frames.push(contentFrame(random, id, part, left === '' && !trailers))
  }
  if (trailers) frames.push(headerFrames(random, id, literals([['checksum', String(id)]]), true))
  else if (content === '' && !endsWithHeaders) frames.push(data(id, '', true))
  return frames
}

function headerFrames(random: Random, id: number, block: Buffer, endStream: boolean): Buffer {
  const flags = endStream ? FLAG.END_STREAM : 0
  const kind = random()
  if (kind < 0.6) return frame(TYPE.HEADERS, flags | FLAG.END_HEADERS, id, block)
  if (kind < 0.8) {
    const payload = Buffer.concat([Buffer.of(7), PRIORITY, block, Buffer.alloc(7)])
    return frame(TYPE.HEADERS, flags | FLAG.END_HEADERS | FLAG.PADDED | FLAG.PRIORITY, id, payload)
  }
  const cut = upTo(random, block.length)
  return Buffer.concat([
    frame(TYPE.HEADERS, flags, id, block.subarray(0, cut)),
    frame(TYPE.CONTINUATION, 0, id, block.subarray(cut, cut + 3)),
    frame(TYPE.CONTINUATION, FLAG.END_HEADERS, id, block.subarray(cut + 3)),
  ])
}

function contentFrame(random: Random, id: number, content: string, endStream: boolean): Buffer {
  if (random() < 0.7) return data(id, content, endStream)
  const padding = upTo(random, 20)
  const payload = Buffer.concat([Buffer.of(padding), Buffer.from(content), Buffer.alloc(padding)])
  return frame(TYPE.DATA, FLAG.PADDED | (endStream ? FLAG.END_STREAM : 0), id, payload)
}

/** A frame that belongs to no request. */
function asideFrame(random: Random): Buffer {
  const kind = random()
  if (kind < 0.2) return frame(TYPE.PRIORITY, 0, 1 + 2 * upTo(random, 20), PRIORITY)
  if (kind < 0.5) return windowUpdate(0, 1 + upTo(random, 1_000))
  if (kind < 0.7)
    return frame(0x30 + upTo(random, 9), upTo(random, 255), upTo(random, 9), Buffer.alloc(upTo(random, 9)))
  return settings([4, 65_535 + upTo(random, 9)])
}

/** The frames again, about one in `oneIn` of them broken, in one of the ways in which bytes and peers are. */
export function mutated(random: Random, frames: readonly Buffer[], oneIn: number): readonly Buffer[] {
  const result: Buffer[] = []
  for (const each of frames) {
    if (random() * oneIn >= 1) result.push(each)
    else result.push(...mutate(random, each, frames))
  }
  return result
}

function mutate(random: Random, original: Buffer, others: readonly Buffer[]): readonly Buffer[] {
  const bytes = Buffer.from(original)
  const other = others[upTo(random, others.length - 1)] ?? bytes
  switch (upTo(random, 11)) {
    case 0:
      bytes.writeUInt8(upTo(random, 12), 3)
      return [bytes]
    case 1:
      bytes.writeUInt8(upTo(random, 255), 4)
      return [bytes]
    case 2:
      bytes.writeUInt32BE(upTo(random, 60), 5)
      return [bytes]
    case 3:
      bytes.writeUIntBE(upTo(random, bytes.length), 0, 3)
      return [bytes]
    case 4:
      for (let flips = 1 + upTo(random, 3); flips > 0; flips -= 1) {
        const at = upTo(random, bytes.length - 1)
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << upTo(random, 7)), at)
      }
      return [bytes]
    case 5:
      return [bytes, bytes]
    case 6:
      return []
    case 7:
      return [other, bytes]
    case 8:
      return [bytes.subarray(0, upTo(random, bytes.length))]
    case 9:
      return [bytes, rstStream(1 + 2 * upTo(random, 20), upTo(random, 14))]
    case 10:
      return [bytes, windowUpdate(upTo(random, 40), upTo(random, 1) * upTo(random, 2 ** 31 - 2))]
    default:
      return [bytes, settings([upTo(random, 9), upTo(random, 1) * upTo(random, 2 ** 31 - 2)])]
  }
}

/** The beginning of a connection, followed by these frames. */
export function conversation(frames: readonly Buffer[]): Buffer {
  return Buffer.concat([PREFACE, settings(), SETTINGS_ACK, ...frames])
}

/** The bytes in pieces. */
export function cutInPieces(random: Random, bytes: Buffer, longest: number): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + upTo(random, longest - 1)
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

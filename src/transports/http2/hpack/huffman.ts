/**
 * RFC 7541 Appendix B. The code is canonical: codes of the same length are consecutive in the order of their symbols, and
 * shorter codes come first. The lengths therefore determine the code. Symbol 256 (EOS) ends a text, and is never sent.
 */
const LENGTHS: readonly number[] = Object.freeze(
  `13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
  6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
  13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
  15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
  20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
  22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
  26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
  20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
  30`
    .split(/\s+/)
    .map(Number),
)

const EOS = 256
const CODES = codesOf(LENGTHS)

function codesOf(lengths: readonly number[]): readonly number[] {
  const symbols = lengths.map((_, symbol) => symbol).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b)
  const codes = new Array<number>(lengths.length).fill(0)
  let code = 0
  let length = 0
  for (const symbol of symbols) {
    code *= 2 ** (lengthOf(symbol) - length)
    length = lengthOf(symbol)
    codes[symbol] = code
    code += 1
  }
  return Object.freeze(codes)
}

function lengthOf(symbol: number): number {
  return LENGTHS[symbol] ?? 0
}

/*
 * The decoder is a state machine that reads four bits at a time. Its states are the inner nodes of the tree of codes. As no
 * code is shorter than five bits, a step completes one symbol at most. An entry of the table, at `state << 4 | bits`:
 */
/** Where bits 8 to 15 hold the next state, */
const STATE_SHIFT = 8
/** and bits 0 to 7 the symbol, if one is complete. */
const SYMBOL_MASK = 0xff
const COMPLETE = 1 << 16
/** The text may end here: the unread rest is at most seven bits, all of them ones (§5.2). */
const MAY_END = 1 << 17
/** The bits are those of EOS. */
const INVALID = 1 << 18

const STEPS = stepsOf(LENGTHS, CODES)

function stepsOf(lengths: readonly number[], codes: readonly number[]): Int32Array {
  // Children of the inner nodes: an inner node as its number, a symbol as -1 - symbol.
  const tree: [number, number][] = [[0, 0]]
  const mayEnd = [true]
  for (const [symbol, length] of lengths.entries()) {
    let node = 0
    for (let bit = length - 1; bit >= 0; bit -= 1) {
      const branch = (((codes[symbol] ?? 0) >>> bit) & 1) as 0 | 1
      const children = tree[node] ?? [0, 0]
      if (bit === 0) children[branch] = -1 - symbol
      else if (children[branch] === 0) {
        const depth = length - bit
        children[branch] = tree.push([0, 0]) - 1
        mayEnd.push(depth <= 7 && branch === 1 && mayEnd[node] === true)
      }
      node = children[branch]
    }
  }
  const steps = new Int32Array(tree.length << 4)
  for (let state = 0; state < tree.length; state += 1) {
    for (let bits = 0; bits < 16; bits += 1) {
      let node = state
      let step = 0
      for (let bit = 3; bit >= 0; bit -= 1) {
        const child = tree[node]?.[((bits >>> bit) & 1) as 0 | 1] ?? 0
        node = Math.max(child, 0)
        if (child === -1 - EOS) step |= INVALID
        else if (child < 0) step |= COMPLETE | (-1 - child)
      }
      if (mayEnd[node] === true) step |= MAY_END
      steps[(state << 4) | bits] = step | (node << STATE_SHIFT)
    }
  }
  return steps
}

/** The maximum length of a decoded text with this many encoded bytes. */
export function maxDecodedLength(bytes: number): number {
  return Math.floor((bytes * 8) / 5)
}

/** Decodes `bytes[start, end)` into `into`, which must be long enough. Returns the length, or -1 if the encoding is invalid. */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let state = 0
  let step = MAY_END
  let length = 0
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0
    step = STEPS[state | (byte >>> 4)] ?? INVALID
    if (step & COMPLETE) into[length++] = step & SYMBOL_MASK
    if (step & INVALID) return -1
    step = STEPS[((step >>> 4) & 0xff0) | (byte & 0xf)] ?? INVALID
    if (step & COMPLETE) into[length++] = step & SYMBOL_MASK
    if (step & INVALID) return -1
    state = (step >>> 4) & 0xff0
  }
  return step & MAY_END ? length : -1
}

/** The number of bytes of an encoded ISO 8859-1 text. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let at = 0; at < text.length; at += 1) bits += lengthOf(text.charCodeAt(at))
  return Math.ceil(bits / 8)
}

/** Writes an encoded ISO 8859-1 text at `at`. Returns the end position. */
export function huffmanEncode(text: string, into: Uint8Array, at: number): number {
  let end = at
  let pending = 0
  let bits = 0
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index)
    const code = CODES[symbol] ?? 0
    for (let left = lengthOf(symbol); left > 0; ) {
      const taken = Math.min(left, 8 - bits)
      left -= taken
      pending = (pending << taken) | ((code >>> left) & ((1 << taken) - 1))
      bits += taken
      if (bits === 8) {
        into[end++] = pending
        pending = 0
        bits = 0
      }
    }
  }
  // §5.2: padding with the first bits of EOS.
  if (bits > 0) into[end++] = (pending << (8 - bits)) | (0xff >>> bits)
  return end
}

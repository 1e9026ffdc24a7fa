/** Samples of character classes. */
const CLASSES: Readonly<Record<string, string>> = {
  d: '0',
  D: 'a',
  w: 'a',
  W: '-',
  s: ' ',
  S: 'a',
  p: '\u0001',
  P: 'a',
}
/** Ends that no expression expects. */
const WRONG_ENDS = ['\u0000', '!', '']
const LONGEST_PIECE = 5
const MOST_ATOMS = 32

/**
 * Texts for which a backtracking expression takes long: thousands of repetitions of its parts, after a matching start and
 * before an end that does not match.
 */
export function* hostileTexts({ source }: RegExp, length: number): Generator<string> {
  const atoms = atomsOf(source).slice(0, MOST_ATOMS)
  const pieces = new Set<string>()
  for (let from = 0; from < atoms.length; from += 1) {
    for (let to = from + 1; to <= Math.min(atoms.length, from + LONGEST_PIECE); to += 1) {
      pieces.add(atoms.slice(from, to).join(''))
    }
  }
  for (const piece of pieces) {
    const many = piece.repeat(Math.ceil(length / piece.length))
    const beginning = atoms.slice(0, atoms.indexOf(piece[0] ?? '')).join('')
    for (const end of WRONG_ENDS) {
      yield many + end
      if (beginning !== '') yield beginning + many + end
    }
  }
}

/** The characters of an expression in order. Ranges and classes are represented by samples. */
function atomsOf(source: string): readonly string[] {
  const atoms: string[] = []
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at] ?? ''
    if (character === '\\') {
      at += 1
      const code = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/i.exec(source.slice(at, at + 5))
      const escaped = source[at] ?? ''
      if (code !== null) {
        atoms.push(String.fromCharCode(Number.parseInt(code[1] ?? code[2] ?? '', 16)))
        at += code[0].length - 1
      } else atoms.push(CLASSES[escaped] ?? escaped)
    } else if (character === '(' && source[at + 1] === '?') {
      at += source[at + 2] === '<' ? 3 : 2
    } else if (!'^$()[]|*+?{}'.includes(character)) atoms.push(character)
  }
  return atoms
}

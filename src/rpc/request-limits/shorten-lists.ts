import type { DescField, DescMessage, Message } from '@bufbuild/protobuf'
import { longestText } from './message-limits.ts'

/** The lists of texts in a message. */
export type TextLists = readonly TextList[]
type TextList =
  | { readonly name: string; readonly longest: number; readonly within: null }
  | { readonly name: string; readonly longest: null; readonly within: TextLists }

/** The lists whose rules limit the length of a text. `known`: the results so far. */
export function textListsOf(schema: DescMessage, known = new Map<DescMessage, TextLists>()): TextLists {
  const before = known.get(schema)
  if (before !== undefined) return before
  const lists: TextList[] = []
  // Set before the fields, for recursive messages.
  known.set(schema, lists)
  for (const field of schema.fields) {
    const found = textListsIn(field, known)
    if (found !== null) lists.push(found)
  }
  return lists
}

function textListsIn(field: DescField, known: Map<DescMessage, TextLists>): TextList | null {
  const { localName: name, message, fieldKind } = field
  if (fieldKind !== 'list' && fieldKind !== 'message') return null
  if (message !== undefined) {
    const within = textListsOf(message, known)
    return within.length === 0 ? null : { name, longest: null, within }
  }
  const longest = longestText(field)
  return longest === null ? null : { name, longest, within: null }
}

/**
 * Ends the lists of texts in a message behind the first so many items that are too long: a validator would find and describe
 * each of thousands. They are looked through in the order of validation, so the first violations stay the first. Only a
 * message that will be refused is changed.
 *
 * @returns how many more are left.
 */
export function shortenLists(message: Message, lists: TextLists, most: number): number {
  let left = most
  for (const list of lists) {
    const value: unknown = Reflect.get(message, list.name)
    if (list.within === null) left = Array.isArray(value) ? shorten(value, list.longest, left) : left
    else if (Array.isArray(value)) for (const item of value) left = shortenLists(item, list.within, left)
    else if (isMessage(value)) left = shortenLists(value, list.within, left)
  }
  return left
}

function shorten(texts: unknown[], longest: number, most: number): number {
  let left = most
  for (const [index, text] of texts.entries()) {
    if (typeof text !== 'string' || !isLonger(text, longest)) continue
    if (left === 0) {
      texts.length = index
      return 0
    }
    left -= 1
  }
  return left
}

/** The length in characters. A text never has more of them than UTF-16 code units. */
function isLonger(text: string, longest: number): boolean {
  return text.length > longest && [...text].length > longest
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && '$typeName' in value
}

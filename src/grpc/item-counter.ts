import type { DescMessage, Message } from '@bufbuild/protobuf'

/** Counts what the lists of a request hold: how many things it asks for beside itself. */
export function itemCounter(input: DescMessage): (request: Message) => number {
  const lists = input.fields.filter(({ fieldKind }) => fieldKind === 'list').map(({ localName }) => localName)
  return (request) => lists.reduce((sum, list) => sum + lengthOf(Reflect.get(request, list)), 0)
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0
}

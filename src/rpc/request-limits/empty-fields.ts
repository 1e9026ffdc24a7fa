import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'

/** Takes the fields that were sent without a value out of a request. */
export interface EmptyFields {
  /** Texts whose presence means something, in the request and in the messages that it holds. */
  omit(message: Message): void
  /** The same for what JSON has no empty value for but `""`: a duration, the name of an enum value. */
  omitFromJson(value: JsonObject): void
}

/** Looks up once which fields of a request these can be. Items of lists are none: `scopes: [""]` does not ask for all scopes. */
export function emptyFields(input: DescMessage): EmptyFields {
  const optional = input.fields.filter((field) => isText(field) && hasPresence(field)).map(({ localName }) => localName)
  const choices = new Set(input.fields.filter(isText).flatMap(({ oneof }) => oneof?.localName ?? []))
  // Beside one member of a oneof, JSON can name another without a value.
  const others = input.fields.filter((field) => isSingle(field) && (!isText(field) || field.oneof !== undefined))
  const names = others.flatMap(namesOf)
  const nested = input.fields.flatMap((field) =>
    (field.fieldKind === 'message' || field.fieldKind === 'list') &&
    field.message !== undefined &&
    field.message !== input &&
    !isWellKnown(field.message)
      ? [{ localName: field.localName, names: namesOf(field), within: emptyFields(field.message) }]
      : [],
  )
  return {
    omit(message) {
      for (const name of optional) if (Reflect.get(message, name) === '') Reflect.deleteProperty(message, name)
      for (const name of choices)
        if (isEmptyChoice(Reflect.get(message, name))) Reflect.set(message, name, { case: undefined })
      for (const { localName, within } of nested) {
        const inner: unknown = Reflect.get(message, localName)
        if (Array.isArray(inner)) for (const item of inner) within.omit(item)
        else if (isMessage(inner)) within.omit(inner)
      }
    },
    omitFromJson(value) {
      for (const name of names) if (value[name] === '') delete value[name]
      for (const { names: spellings, within } of nested)
        for (const name of spellings) {
          const inner = value[name]
          if (Array.isArray(inner)) for (const item of inner) omitInside(within, item)
          else omitInside(within, inner)
        }
    },
  }
}

function omitInside(within: EmptyFields, value: JsonValue | undefined): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) within.omitFromJson(value)
}

/** In the contract, and in JSON. */
function namesOf({ name, jsonName }: DescField): readonly string[] {
  return [name, jsonName]
}

function isText(field: DescField): boolean {
  return field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING
}

/** Of proto3: marked `optional`, and not in a oneof that somebody wrote. */
function hasPresence({ proto, oneof }: DescField): boolean {
  return proto.proto3Optional && oneof === undefined
}

function isSingle({ fieldKind }: DescField): boolean {
  return fieldKind === 'scalar' || fieldKind === 'enum' || fieldKind === 'message'
}

function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith('google.protobuf.')
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && '$typeName' in value
}

/** A oneof is `{ case, value }`. */
function isEmptyChoice(choice: unknown): boolean {
  return typeof choice === 'object' && choice !== null && 'value' in choice && choice.value === ''
}

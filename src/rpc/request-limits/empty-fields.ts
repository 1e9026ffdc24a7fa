import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'

/** A field with a message of its own, in which fields can be empty too. */
interface Nested {
  readonly localName: string
  readonly jsonNames: readonly string[]
  readonly within: EmptyFields
}

/**
 * Takes the fields that were sent without a value out of a request. Items of lists
 * are none: `scopes: [""]` does not ask for all scopes.
 */
export class EmptyFields {
  /** Texts whose presence means something. */
  readonly #optional: readonly string[]
  /** The oneofs that a text belongs to. */
  readonly #oneofs: ReadonlySet<string>
  /** In JSON, fields that have no empty value but `""`. */
  readonly #jsonNames: readonly string[]
  readonly #nested: readonly Nested[]

  constructor(input: DescMessage) {
    this.#optional = input.fields
      .filter((field) => isText(field) && hasPresence(field))
      .map(({ localName }) => localName)
    this.#oneofs = new Set(input.fields.filter(isText).flatMap(({ oneof }) => oneof?.localName ?? []))
    // Beside one member of a oneof, JSON can name another without a value.
    const others = input.fields.filter((field) => isSingle(field) && (!isText(field) || field.oneof !== undefined))
    this.#jsonNames = others.flatMap(namesOf)
    this.#nested = input.fields.flatMap((field) =>
      (field.fieldKind === 'message' || field.fieldKind === 'list') &&
      field.message !== undefined &&
      field.message !== input &&
      !isWellKnown(field.message)
        ? [{ localName: field.localName, jsonNames: namesOf(field), within: new EmptyFields(field.message) }]
        : [],
    )
  }

  /** Texts whose presence means something, in the request and in the messages that it holds. */
  omit(message: Message): void {
    for (const name of this.#optional) if (Reflect.get(message, name) === '') Reflect.deleteProperty(message, name)
    for (const name of this.#oneofs)
      if (isEmptyChoice(Reflect.get(message, name))) Reflect.set(message, name, { case: undefined })
    for (const { localName, within } of this.#nested) {
      const inner: unknown = Reflect.get(message, localName)
      if (Array.isArray(inner)) for (const item of inner) within.omit(item)
      else if (isMessage(inner)) within.omit(inner)
    }
  }

  /** The same for what JSON has no empty value for but `""`: a duration, the name of an enum value. */
  omitFromJson(value: JsonObject): void {
    for (const name of this.#jsonNames) if (value[name] === '') delete value[name]
    for (const { jsonNames, within } of this.#nested)
      for (const name of jsonNames) {
        const inner = value[name]
        if (Array.isArray(inner)) for (const item of inner) omitInside(within, item)
        else omitInside(within, inner)
      }
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

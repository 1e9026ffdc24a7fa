import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'

/** A field of a message type, whose fields can be empty, too. */
interface Nested {
  readonly localName: string
  readonly jsonNames: readonly string[]
  readonly within: EmptyFields
}

/** Removes fields without a value from a request. Items of lists are kept: `scopes: [""]` does not mean all scopes. */
export class EmptyFields {
  /** Texts with explicit presence. */
  readonly #optional: readonly string[]
  /** The oneofs that contain a text. */
  readonly #oneofs: ReadonlySet<string>
  /** The JSON names of fields whose only empty value is `""`. */
  readonly #jsonNames: readonly string[]
  readonly #nested: readonly Nested[]

  constructor(input: DescMessage) {
    this.#optional = input.fields
      .filter((field) => isText(field) && hasPresence(field))
      .map(({ localName }) => localName)
    this.#oneofs = new Set(input.fields.filter(isText).flatMap(({ oneof }) => oneof?.localName ?? []))
    // JSON can name a second member of a oneof without a value.
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

  /** Removes empty texts with explicit presence from the request and its nested messages. */
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

  /** The same for JSON fields whose only empty value is `""`: durations and enum names. */
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

/** The name in the contract and the name in JSON. */
function namesOf({ name, jsonName }: DescField): readonly string[] {
  return [name, jsonName]
}

function isText(field: DescField): boolean {
  return field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING
}

/** proto3 presence: marked `optional`, and not in a declared oneof. */
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

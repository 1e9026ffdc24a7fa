import {
  create,
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  type SourceCodeInfo_LocationSchema,
  SourceCodeInfoSchema,
} from '@bufbuild/protobuf/wkt'

/** The comments in the source of a file, as locations of `SourceCodeInfo`. */
export type CommentsOf = (
  fileName: string,
) => readonly MessageInitShape<typeof SourceCodeInfo_LocationSchema>[] | undefined

/** The lookups of reflection: files by name, symbol and extension, exactly as they were compiled. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescFile>()
  readonly #symbols = new Map<string, DescFile>()
  readonly #extensions = new Map<string, Map<number, DescFile>>()
  readonly #encoded = new Map<DescFile, Uint8Array>()
  readonly #commentsOf: CommentsOf

  /** Indexes these files and all files that they import. */
  constructor(roots: Iterable<DescFile>, commentsOf: CommentsOf) {
    this.#commentsOf = commentsOf
    for (const root of roots) for (const file of this.closure(root)) this.#files.set(file.proto.name, file)
    for (const file of this.#files.values()) {
      for (const symbol of symbolsOf(file)) this.#symbols.set(symbol, file)
      for (const extension of extensionsOf(file)) {
        const numbers = this.#extensions.get(extension.extendee.typeName) ?? new Map<number, DescFile>()
        this.#extensions.set(extension.extendee.typeName, numbers.set(extension.number, file))
        this.#symbols.set(extension.typeName, file)
      }
    }
  }

  fileNamed(name: string): DescFile | null {
    return this.#files.get(name) ?? null
  }

  /** Looks up the full name of a message, field, oneof, enum, enum value, service, method or extension. */
  fileWithSymbol(symbol: string): DescFile | null {
    return this.#symbols.get(symbol) ?? null
  }

  fileWithExtension(extendee: string, number: number): DescFile | null {
    return this.#extensions.get(extendee)?.get(number) ?? null
  }

  /** The numbers in ascending order; `null` for an unknown message. */
  extensionNumbers(extendee: string): readonly number[] | null {
    if (!this.#symbols.has(extendee)) return null
    return [...(this.#extensions.get(extendee)?.keys() ?? [])].sort((a, b) => a - b)
  }

  /** The file and all files that it imports, directly or indirectly. Every file comes before its imports. */
  closure(file: DescFile): readonly DescFile[] {
    const seen = new Set<DescFile>()
    const importedFirst: DescFile[] = []
    function visit(each: DescFile): void {
      if (seen.has(each)) return
      seen.add(each)
      each.dependencies.forEach(visit)
      importedFirst.push(each)
    }
    visit(file)
    return importedFirst.reverse()
  }

  /** The serialized FileDescriptorProto with options and comments. It is encoded once and shared by all callers. */
  bytes(file: DescFile): Uint8Array {
    const known = this.#encoded.get(file)
    if (known !== undefined) return known
    const location = this.#commentsOf(file.proto.name)
    const sourceCodeInfo =
      location === undefined ? undefined : create(SourceCodeInfoSchema, { location: [...location] })
    const bytes = toBinary(FileDescriptorProtoSchema, { ...file.proto, sourceCodeInfo })
    this.#encoded.set(file, bytes)
    return bytes
  }
}

function* symbolsOf(file: DescFile): Iterable<string> {
  for (const message of file.messages) yield* symbolsOfMessage(message)
  for (const each of file.enums) yield* symbolsOfEnum(each)
  for (const service of file.services) yield* symbolsOfService(service)
}

function* symbolsOfMessage(message: DescMessage): Iterable<string> {
  yield message.typeName
  for (const member of [...message.fields, ...message.oneofs]) yield `${message.typeName}.${member.name}`
  for (const nested of message.nestedMessages) yield* symbolsOfMessage(nested)
  for (const nested of message.nestedEnums) yield* symbolsOfEnum(nested)
}

function* symbolsOfEnum(each: DescEnum): Iterable<string> {
  yield each.typeName
  // Enum values are siblings of their enum, not its children.
  const scope = each.typeName.slice(0, each.typeName.lastIndexOf('.') + 1)
  for (const value of each.values) yield scope + value.name
}

function* symbolsOfService(service: DescService): Iterable<string> {
  yield service.typeName
  for (const method of service.methods) yield `${service.typeName}.${method.name}`
}

function* extensionsOf(scope: DescFile | DescMessage): Iterable<DescExtension> {
  yield* scope.kind === 'file' ? scope.extensions : scope.nestedExtensions
  for (const message of scope.kind === 'file' ? scope.messages : scope.nestedMessages) yield* extensionsOf(message)
}

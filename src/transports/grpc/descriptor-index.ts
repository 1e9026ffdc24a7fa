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

/** What reflection looks up: files by name, symbol and extension, exactly as they were compiled. */
export interface DescriptorIndex {
  fileNamed(name: string): DescFile | null
  /** By the full name of a message, field, oneof, enum, enum value, service, method or extension. */
  fileWithSymbol(symbol: string): DescFile | null
  fileWithExtension(extendee: string, number: number): DescFile | null
  /** Ascending; `null` for a message that is not known. */
  extensionNumbers(extendee: string): readonly number[] | null
  /** The file and all that it imports, directly or not; every file before what it imports. */
  closure(file: DescFile): readonly DescFile[]
  /** The serialized FileDescriptorProto, options and comments included: made once, and shared by all who ask. */
  bytes(file: DescFile): Uint8Array
}

/** What is said of a file in its source, as locations of `SourceCodeInfo`. */
export type CommentsOf = (
  fileName: string,
) => readonly MessageInitShape<typeof SourceCodeInfo_LocationSchema>[] | undefined

export function createDescriptorIndex(roots: Iterable<DescFile>, commentsOf: CommentsOf): DescriptorIndex {
  const files = new Map<string, DescFile>()
  const symbols = new Map<string, DescFile>()
  const extensions = new Map<string, Map<number, DescFile>>()
  const encoded = new Map<DescFile, Uint8Array>()

  for (const root of roots) for (const file of closureOf(root)) files.set(file.proto.name, file)
  for (const file of files.values()) {
    for (const symbol of symbolsOf(file)) symbols.set(symbol, file)
    for (const extension of extensionsOf(file)) {
      const numbers = extensions.get(extension.extendee.typeName) ?? new Map<number, DescFile>()
      extensions.set(extension.extendee.typeName, numbers.set(extension.number, file))
      symbols.set(extension.typeName, file)
    }
  }

  return {
    fileNamed: (name) => files.get(name) ?? null,
    fileWithSymbol: (symbol) => symbols.get(symbol) ?? null,
    fileWithExtension: (extendee, number) => extensions.get(extendee)?.get(number) ?? null,
    extensionNumbers: (extendee) => {
      if (!symbols.has(extendee)) return null
      return [...(extensions.get(extendee)?.keys() ?? [])].sort((a, b) => a - b)
    },
    closure: closureOf,
    bytes: (file) => {
      const known = encoded.get(file)
      if (known !== undefined) return known
      const location = commentsOf(file.proto.name)
      const sourceCodeInfo =
        location === undefined ? undefined : create(SourceCodeInfoSchema, { location: [...location] })
      const bytes = toBinary(FileDescriptorProtoSchema, { ...file.proto, sourceCodeInfo })
      encoded.set(file, bytes)
      return bytes
    },
  }
}

function closureOf(file: DescFile): readonly DescFile[] {
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
  // Values are siblings of their enum, not its children.
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

import type { DescFile, Message, Registry } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { toText } from '@bufbuild/protobuf/txtpb'
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  EnumOptionsSchema,
  EnumValueOptionsSchema,
  ExtensionRangeOptionsSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldOptionsSchema,
  type FileDescriptorProto,
  FileOptionsSchema,
  MessageOptionsSchema,
  OneofOptionsSchema,
  type ServiceDescriptorProto,
} from '@bufbuild/protobuf/wkt'

const MAX_FIELD_NUMBER = 536_870_912

/**
 * Prints a file descriptor as proto source. Comments are not in a descriptor,
 * so they are lost; compiled again, the result equals the descriptor. Covers
 * proto2 and proto3 without groups and services with streams, which is what the
 * vendored files need; anything else throws.
 */
export function printProto(desc: DescFile, registry: Registry): string {
  const file = desc.proto
  const out: string[] = []
  let depth = 0
  const line = (text: string) => out.push(text === '' ? '' : '  '.repeat(depth) + text)
  const block = (head: string, body: () => void) => {
    line(`${head} {`)
    depth += 1
    body()
    depth -= 1
    line('}')
  }
  const options = <T extends Message>(schema: GenMessage<T>, value: T | undefined): string[] =>
    value === undefined ? [] : splitOptions(toText(schema, value, { registry }))
  const bracketed = (list: string[]) => (list.length === 0 ? '' : ` [${list.join(', ')}]`)
  const statements = (list: string[]) => {
    for (const option of list) line(`option ${option};`)
  }

  const printField = (field: FieldDescriptorProto, scope: DescriptorProto | null, inOneof: boolean) => {
    const entry = scope?.nestedType.find(
      (n) => n.options?.mapEntry === true && field.typeName.endsWith(`.${scope.name}.${n.name}`),
    )
    const list = options(FieldOptionsSchema, field.options)
    if (field.defaultValue !== '') list.unshift(`default = ${quoteDefault(field)}`)
    const key = entry?.field[0]
    const value = entry?.field[1]
    const type = key && value ? `map<${typeName(key)}, ${typeName(value)}>` : typeName(field)
    line(`${entry || inOneof ? '' : label(field, file)}${type} ${field.name} = ${field.number}${bracketed(list)};`)
  }
  const printEnum = (proto: EnumDescriptorProto) =>
    block(`enum ${proto.name}`, () => {
      statements(options(EnumOptionsSchema, proto.options))
      for (const value of proto.value)
        line(`${value.name} = ${value.number}${bracketed(options(EnumValueOptionsSchema, value.options))};`)
      for (const range of proto.reservedRange) line(`reserved ${range.start} to ${range.end};`)
      for (const name of proto.reservedName) line(`reserved "${name}";`)
    })
  const printExtensions = (extensions: FieldDescriptorProto[]) => {
    for (const extendee of new Set(extensions.map((e) => e.extendee))) {
      block(`extend ${extendee}`, () => {
        for (const field of extensions.filter((e) => e.extendee === extendee)) printField(field, null, false)
      })
    }
  }
  const printMessage = (proto: DescriptorProto): void =>
    block(`message ${proto.name}`, () => {
      statements(options(MessageOptionsSchema, proto.options))
      for (const nested of proto.nestedType) if (nested.options?.mapEntry !== true) printMessage(nested)
      for (const nested of proto.enumType) printEnum(nested)
      const printed = new Set<number>()
      for (const field of proto.field) {
        const index = field.oneofIndex
        if (!isInOneof(field) || field.proto3Optional) {
          printField(field, proto, false)
        } else if (!printed.has(index)) {
          printed.add(index)
          const oneof = proto.oneofDecl[index]
          if (oneof === undefined) throw new Error(`${proto.name}.${field.name}: no such oneof`)
          block(`oneof ${oneof.name}`, () => {
            statements(options(OneofOptionsSchema, oneof.options))
            for (const member of proto.field)
              if (isInOneof(member) && member.oneofIndex === index) printField(member, proto, true)
          })
        }
      }
      for (const range of proto.extensionRange) {
        const end = range.end === MAX_FIELD_NUMBER ? 'max' : range.end - 1
        line(`extensions ${range.start} to ${end}${bracketed(options(ExtensionRangeOptionsSchema, range.options))};`)
      }
      for (const range of proto.reservedRange) line(`reserved ${range.start} to ${range.end - 1};`)
      for (const name of proto.reservedName) line(`reserved "${name}";`)
      printExtensions(proto.extension)
    })

  const printService = (proto: ServiceDescriptorProto) =>
    block(`service ${proto.name}`, () => {
      for (const method of proto.method) {
        const { name, inputType, outputType, clientStreaming, serverStreaming } = method
        if (clientStreaming || serverStreaming || method.options !== undefined)
          throw new Error(`${proto.name}.${name}: streams and options of methods are not printed`)
        line(`rpc ${name}(${inputType}) returns (${outputType});`)
      }
    })

  line(`syntax = "${file.syntax === '' ? 'proto2' : file.syntax}";`)
  line(`package ${file.package};`)
  for (const dependency of file.dependency) line(`import "${dependency}";`)
  statements(options(FileOptionsSchema, file.options))
  printExtensions(file.extension)
  for (const proto of file.messageType) printMessage(proto)
  for (const proto of file.enumType) printEnum(proto)
  for (const proto of file.service) printService(proto)
  return `${out.join('\n')}\n`
}

function isInOneof(field: FieldDescriptorProto): boolean {
  return Object.hasOwn(field, 'oneofIndex')
}

function label(field: FieldDescriptorProto, file: FileDescriptorProto): string {
  switch (field.label) {
    case FieldDescriptorProto_Label.REPEATED:
      return 'repeated '
    case FieldDescriptorProto_Label.REQUIRED:
      return 'required '
    default:
      return file.syntax === 'proto3' && !field.proto3Optional ? '' : 'optional '
  }
}

function typeName(field: FieldDescriptorProto): string {
  if (field.typeName !== '') return field.typeName
  if (field.type === FieldDescriptorProto_Type.GROUP) throw new Error(`${field.name}: groups are not printed`)
  return FieldDescriptorProto_Type[field.type].toLowerCase()
}

function quoteDefault(field: FieldDescriptorProto): string {
  return field.type === FieldDescriptorProto_Type.STRING ? JSON.stringify(field.defaultValue) : field.defaultValue
}

/** Turns the text format of an options message into `name = value` items. */
function splitOptions(text: string): string[] {
  const items: string[] = []
  let depth = 0
  let current: string[] = []
  for (const raw of text.split('\n')) {
    const row = raw.trim()
    if (row === '') continue
    current.push(row)
    if (row.endsWith('{') || row.endsWith('[')) depth += 1
    if (row === '}' || row === ']') depth -= 1
    if (depth === 0) {
      items.push(toAssignment(current.join(' ')))
      current = []
    }
  }
  return items
}

function toAssignment(item: string): string {
  const match = /^(\[([\w.]+)\]|\w+)(:)?\s*([\s\S]*)$/.exec(item)
  if (match === null) throw new Error(`not an option: ${item}`)
  const [, plain, extension, , value] = match
  return `${extension === undefined ? plain : `(${extension})`} = ${value}`
}

import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  getOption,
  ScalarType,
} from '@bufbuild/protobuf'
import { getComments } from '@bufbuild/protoplugin'
import { oneof as oneofRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { registry } from '../src/errors/registry.ts'
import { access } from '../src/gen/qscope/v1/options_pb.ts'
import { reasonOf } from '../src/rpc/rpc-status.ts'
import { fieldBounds } from './field-bounds.ts'

const SHARED = 'messages.md'
const REASONS = new Set<string>(Object.keys(registry).map((code) => reasonOf(code as keyof typeof registry)))
/** Documented by errors.md. */
const ELSEWHERE = 'qscope/v1/error_reason'

/** docs/reference: a page for each service, and one for the messages that several share. */
export function referencePages(files: readonly DescFile[]): ReadonlyMap<string, string> {
  const own = files.filter(({ name }) => name !== ELSEWHERE)
  const pages = new Map<string, string>([['README.md', indexPage(own)]])
  for (const file of own.filter(({ services }) => services.length > 0)) pages.set(pageOf(file), servicePage(file))
  pages.set(SHARED, sharedPage(own.filter(({ services }) => services.length === 0)))
  return pages
}

/** Where a file's types are documented. */
function pageOf({ name, services }: DescFile): string {
  return services.length === 0 ? SHARED : `${name.slice(name.lastIndexOf('/') + 1).replaceAll('_', '-')}.md`
}

function indexPage(files: readonly DescFile[]): string {
  const methods = files.flatMap((file) => file.services.flatMap((service) => service.methods))
  const rows = methods.map(
    (method) =>
      `| ${method.parent.name} | [${method.name}](${pageOf(method.parent.file)}#${anchor(method.name)}) | ${callers(method)} | ${repeatable(method) ? 'yes' : ''} |`,
  )
  return `# Reference

Generated from \`proto/qscope/v1\` by \`npm run docs\`: every RPC, message, field and enum, with who may call it, what the
schema demands, and what is kept out of logs. Messages that several services use are on [a page of their own](${SHARED}),
error reasons in [errors.md](../errors.md). How calls look: [cookbook](../cookbook/README.md).

JSON has the fields in lowerCamelCase. Times are RFC 3339, spans seconds with an \`s\`.

| service | RPC | who may call it | idempotent |
|---|---|---|---|
${rows.join('\n')}
`
}

function servicePage(file: DescFile): string {
  const services = file.services.map((service) =>
    [`# ${service.name}`, '', GENERATED, '', prose(service), '', ...service.methods.map(methodSection)].join('\n'),
  )
  return `${[...services, ...typeSections(file)].join('\n')}\n`
}

const GENERATED = 'Generated from the contract by `npm run docs`; [all RPCs](README.md).'

function sharedPage(files: readonly DescFile[]): string {
  return `${[`# Messages of several services\n\n${GENERATED}\n`, ...files.flatMap(typeSections)].join('\n')}\n`
}

function methodSection(method: DescMethod): string {
  const streamed = method.methodKind === 'server_streaming' ? 'a stream of ' : ''
  return [
    `## ${method.name}`,
    '',
    prose(method),
    '',
    '| | |',
    '|---|---|',
    `| path | \`/${method.parent.typeName}/${method.name}\` |`,
    `| request | ${typeLink(method.input, method.parent.file)} |`,
    `| response | ${streamed}${typeLink(method.output, method.parent.file)} |`,
    `| who may call it | ${callers(method)} |`,
    `| idempotent | ${repeatable(method) ? 'yes: repeating it leaves the server as one call would' : 'no; the text above says what a repetition does'} |`,
    '',
  ].join('\n')
}

function callers(method: DescMethod): string {
  const { permission, clientAuthentication, anyone } = getOption(method, access)
  return [
    ...(clientAuthentication ? ['a client'] : []),
    ...(permission === '' ? [] : [`a bearer token with \`${permission}\``]),
    ...(anyone ? ['anyone'] : []),
  ].join(' or ')
}

function repeatable(method: DescMethod): boolean {
  return getOption(method, access).idempotent
}

function typeSections(file: DescFile): readonly string[] {
  return [...file.messages.map(messageSection), ...file.enums.map(enumSection)]
}

function messageSection(message: DescMessage): string {
  const rows = message.fields.map(
    (field) =>
      `| \`${field.name}\` | ${field.number} | ${fieldType(field)} | ${cell(bounds(field))} | ${cell(prose(field))} |`,
  )
  const table =
    rows.length === 0
      ? ['It has no fields.']
      : ['| field | number | type | demanded | |', '|---|---|---|---|---|', ...rows]
  return [`### ${message.name}`, '', prose(message), '', ...table, ''].join('\n')
}

function enumSection(type: DescEnum): string {
  const rows = type.values.map((value) => `| \`${value.name}\` | ${value.number} | ${cell(prose(value))} |`)
  return [`### ${type.name}`, '', prose(type), '', '| value | number | |', '|---|---|---|', ...rows, ''].join('\n')
}

function fieldType(field: DescField): string {
  if (field.fieldKind === 'map') return `map of ${scalar(field.mapKey)} to ${valueType(field)}`
  const presence = field.proto.proto3Optional ? 'optional ' : ''
  return `${field.fieldKind === 'list' ? 'repeated ' : presence}${valueType(field)}`
}

function valueType(field: DescField): string {
  const type = field.message ?? field.enum
  return type === undefined ? scalar(field.scalar) : typeLink(type, field.parent.file)
}

function scalar(type: ScalarType | undefined): string {
  return type === undefined ? '' : (ScalarType[type]?.toLowerCase() ?? '')
}

/** A type of the contract with a link to where it is documented; others by their full names. */
function typeLink(type: DescMessage | DescEnum, from: DescFile): string {
  if (!type.file.name.startsWith('qscope/')) return `\`${type.typeName}\``
  if (type.file.name === ELSEWHERE) return `[${type.name}](../errors.md)`
  const [here, there] = [pageOf(from), pageOf(type.file)]
  return `[${type.name}](${here === there ? '' : there}#${anchor(type.name)})`
}

function bounds(field: DescField): string {
  const isSecret = field.proto.options?.debugRedact === true
  const choice = field.proto.proto3Optional ? undefined : field.oneof
  const isDemanded = choice !== undefined && getOption(choice, oneofRules).required
  const all = [
    fieldBounds(field),
    ...(choice === undefined ? [] : [`${isDemanded ? 'exactly' : 'at most'} one of \`${choice.name}\``]),
    ...(isSecret ? ['kept out of logs'] : []),
  ]
  return all.filter((each) => each !== '').join('; ')
}

/** The comment of an element in one paragraph, its error reasons as links. */
function prose(desc: Parameters<typeof getComments>[0]): string {
  const text = (getComments(desc).leading ?? '').trim().replaceAll(/\s*\n\s*/g, ' ')
  return text.replaceAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g, (word) =>
    REASONS.has(word) ? `[\`${word}\`](../errors.md#${word.toLowerCase().replaceAll('_', '-')})` : word,
  )
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function anchor(heading: string): string {
  return heading.toLowerCase()
}

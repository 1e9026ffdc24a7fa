/**
 * Writes proto/third_party/envoy, the messages of external authorization, from the descriptors in the Go module that
 * scripts/go-tools/go.mod pins: `npm run protos:vendor:envoy`. With `--check` it only compares. Needs Go.
 */
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { clearField, createFileRegistry, createRegistry, fromBinary, isFieldSet } from '@bufbuild/protobuf'
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  EnumValueDescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodDescriptorProtoSchema,
  OneofDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'
import { printProto } from './print-proto.ts'

const SERVICE = 'envoy.service.auth.v3.Authorization'
const HEADER =
  '// Printed from the descriptors in github.com/envoyproxy/go-control-plane/envoy (Apache-2.0) by\n' +
  `// scripts/vendor-envoy-protos.ts: what ${SERVICE} needs, without options.\n\n`
const root = join(import.meta.dirname, '..')
const target = join(root, 'proto', 'third_party')

const set = fromBinary(
  FileDescriptorSetSchema,
  execFileSync('go', ['run', './envoy-descriptors'], {
    cwd: join(root, 'scripts', 'go-tools'),
    env: { ...process.env, GOFLAGS: '-mod=readonly' },
    maxBuffer: 64 * 1024 * 1024,
  }),
)

/** The file of each message and enum that is not nested, by its full name with a dot before it. */
const homes = new Map<string, FileDescriptorProto>()
for (const file of set.file)
  for (const { name } of [...file.messageType, ...file.enumType]) homes.set(`.${file.package}.${name}`, file)

const needed = new Set<string>()
for (const file of set.file)
  for (const service of file.service)
    if (`${file.package}.${service.name}` === SERVICE)
      for (const { inputType, outputType } of service.method) for (const type of [inputType, outputType]) need(type)

for (const file of set.file.filter(isOfEnvoy)) prune(file)
const kept = set.file.filter((file) => !isOfEnvoy(file) || file.messageType.length + file.enumType.length > 0)
const registry = createFileRegistry({ ...set, file: kept })

const different: string[] = []
for (const file of kept.filter(isOfEnvoy)) {
  const desc = registry.getFile(file.name)
  if (desc === undefined) throw new Error(`${file.name} has no descriptor`)
  const text = HEADER + printProto(desc, createRegistry())
  const path = join(target, file.name)
  if (process.argv.includes('--check')) {
    const committed = await readFile(path, 'utf8').catch(() => null)
    if (committed !== text) different.push(file.name)
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}
if (different.length > 0) {
  console.error(
    `proto/third_party/envoy differs from the Go module: ${different.join(', ')}; run npm run protos:vendor:envoy`,
  )
  process.exit(1)
}

function isOfEnvoy({ name }: FileDescriptorProto): boolean {
  return name.startsWith('envoy/')
}

/** Notes a type, and what it refers to: of a nested one, the whole message that it is in. */
function need(type: string): void {
  const home = [...homes.keys()].find((name) => type === name || type.startsWith(`${name}.`))
  if (home === undefined) throw new Error(`${type} is defined nowhere`)
  if (needed.has(home)) return
  needed.add(home)
  const message = homes.get(home)?.messageType.find(({ name }) => home.endsWith(`.${name}`))
  for (const reference of message === undefined ? [] : referencesOf(message)) need(reference)
}

function referencesOf({ field, nestedType }: DescriptorProto): readonly string[] {
  return [...field.map(({ typeName }) => typeName).filter((name) => name !== ''), ...nestedType.flatMap(referencesOf)]
}

/** Leaves in a file what is needed, and of the options what decides how a message is read. */
function prune(file: FileDescriptorProto): void {
  const isNeeded = ({ name }: { readonly name: string }) => needed.has(`.${file.package}.${name}`)
  file.messageType = file.messageType.filter(isNeeded)
  file.enumType = file.enumType.filter(isNeeded)
  file.service = file.service.filter(({ name }) => `${file.package}.${name}` === SERVICE)
  clearField(file, FileDescriptorProtoSchema.field.options)
  file.messageType.forEach(withoutOptions)
  file.enumType.forEach(enumWithoutOptions)
  for (const service of file.service) {
    clearField(service, ServiceDescriptorProtoSchema.field.options)
    for (const method of service.method) clearField(method, MethodDescriptorProtoSchema.field.options)
  }
  const types = [
    ...file.messageType.flatMap(referencesOf),
    ...file.service.flatMap(({ method }) => method.flatMap(({ inputType, outputType }) => [inputType, outputType])),
  ]
  const used = new Set(
    types.map((type) => [...homes].find(([name]) => type === name || type.startsWith(`${name}.`))?.[1].name),
  )
  file.dependency = file.dependency.filter((name) => used.has(name))
  file.publicDependency = []
  file.weakDependency = []
}

function withoutOptions(message: DescriptorProto): void {
  // An entry of a map is known by this option.
  if (message.options?.mapEntry !== true) clearField(message, DescriptorProtoSchema.field.options)
  for (const field of message.field) {
    if (isFieldSet(field, FieldDescriptorProtoSchema.field.options))
      clearField(field, FieldDescriptorProtoSchema.field.options)
  }
  for (const oneof of message.oneofDecl) clearField(oneof, OneofDescriptorProtoSchema.field.options)
  message.nestedType.forEach(withoutOptions)
  message.enumType.forEach(enumWithoutOptions)
}

function enumWithoutOptions(type: EnumDescriptorProto): void {
  if (type.options?.allowAlias === true) throw new Error(`${type.name} has aliases, which need an option`)
  clearField(type, EnumDescriptorProtoSchema.field.options)
  for (const value of type.value) clearField(value, EnumValueDescriptorProtoSchema.field.options)
}

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { createFileRegistry, type DescFile, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'

/** The files of proto/qscope with their comments, which the generated code has not. */
export function contractFiles(): readonly DescFile[] {
  const image = execFileSync('buf', ['build', '-o', '-#format=binpb'], {
    cwd: join(import.meta.dirname, '..'),
    maxBuffer: 2 ** 26,
  })
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image))
  return [...registry.files]
    .filter(({ name }) => name.startsWith('qscope/'))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

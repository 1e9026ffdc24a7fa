/**
 * Writes proto/third_party from installed packages: `npm run protos:vendor`.
 * With `--check` it only compares, and fails when they differ.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createRegistry } from '@bufbuild/protobuf'
import { file_buf_validate_validate } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { printProto } from './print-proto.ts'

const require = createRequire(import.meta.url)
const root = join(import.meta.dirname, '..', 'proto', 'third_party')
const check = process.argv.includes('--check')

const copied: Record<string, string> = {
  'google/rpc/code.proto': 'google-gax/build/protos/google/rpc/code.proto',
  'google/rpc/error_details.proto': 'google-gax/build/protos/google/rpc/error_details.proto',
  'google/rpc/status.proto': 'google-gax/build/protos/google/rpc/status.proto',
  'grpc/health/v1/health.proto': 'grpc-health-check/proto/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto': '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto': '@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto',
}

const files = new Map<string, string>()
for (const [target, source] of Object.entries(copied)) {
  files.set(target, await readFile(packagePath(source), 'utf8'))
}
files.set(
  'buf/validate/validate.proto',
  `// Printed from the descriptor in @bufbuild/protovalidate (Apache-2.0) by scripts/vendor-protos.ts.\n\n${printProto(
    file_buf_validate_validate,
    createRegistry(file_buf_validate_validate),
  )}`,
)

const different: string[] = []
for (const [target, text] of files) {
  const path = join(root, target)
  if (check) {
    const committed = await readFile(path, 'utf8').catch(() => null)
    if (committed !== text) different.push(target)
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}
if (different.length > 0) {
  console.error(
    `proto/third_party differs from the installed packages: ${different.join(', ')}; run npm run protos:vendor`,
  )
  process.exit(1)
}

/** Finds a file inside an installed package, whatever that package exports. */
function packagePath(source: string): string {
  const paths = require.resolve.paths(source) ?? []
  for (const path of paths) {
    const candidate = join(path, source)
    if (existsSync(candidate)) return candidate
  }
  throw new Error(`${source} is not installed`)
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeCachingVerifier } from './caching-verifier.ts'
import { BUILD_MS, cacheFolder, generateStubs, hasToolchain, once, ROOT, run } from './toolchain.ts'
import { describeTour } from './tour.ts'

const hasPython = hasToolchain({
  name: 'python',
  suite: 'the client in Python',
  programs: ['python3'],
  version: ['--version'],
  atLeast: [3, 11],
})
const SOURCE = join(ROOT, 'clients', 'python')
const ENVIRONMENT = join(cacheFolder('python'), 'environment')
const PINNED = join(SOURCE, 'requirements.txt')
/** The file in the environment with its installed versions. */
const INSTALLED = join(ENVIRONMENT, 'installed.txt')
const python = (...args: string[]) => run(join(ENVIRONMENT, 'bin', 'python'), args, { cwd: SOURCE })

/** Installs the pinned versions, once for each set of them. */
async function makeEnvironment(): Promise<void> {
  const wanted = readFileSync(PINNED, 'utf8')
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === wanted) return
  await run('python3', ['-m', 'venv', '--clear', ENVIRONMENT])
  await python('-m', 'pip', 'install', '--quiet', '--require-hashes', '--requirement', PINNED)
  writeFileSync(INSTALLED, wanted)
}

/** Runs once for all suites of this file. */
const build = once(async () => {
  await makeEnvironment()
  // buf must call the `python` of the environment.
  await generateStubs('python', { bin: join(ENVIRONMENT, 'bin') })
  await python('-m', 'pip', 'install', '--quiet', '--no-deps', '--no-build-isolation', '--force-reinstall', '.')
})

describeTour('Python', hasPython, { build, take: (settings) => python('-m', 'tour', settings) })

describeCachingVerifier('Python', hasPython, {
  build,
  command: [join(ENVIRONMENT, 'bin', 'python'), '-m', 'tour.caching'],
  cwd: SOURCE,
})

describe.skipIf(!hasPython)('the package for Python', () => {
  it(
    'passes ruff, mypy and its own tests',
    async () => {
      // Checks the programs of gRPC's interoperability tests, too.
      const checked = ['--config', 'pyproject.toml', '.', join(ROOT, 'test', 'grpc-interop', 'python')]
      await python('-m', 'ruff', 'format', '--check', ...checked)
      await python('-m', 'ruff', 'check', ...checked)
      await python('-m', 'mypy')
      await python('-m', 'unittest', 'discover', '-s', 'tests')
      expect(await python('-c', 'import qscope_client; print(qscope_client.__file__)')).toContain(ENVIRONMENT)
    },
    BUILD_MS,
  )
})

const USES_STUBS = `
import sys
sys.path.insert(0, sys.argv[1])
from buf.validate import validate_pb2
from google.rpc import status_pb2
from qscope.v1 import token_service_pb2, token_service_pb2_grpc
assert token_service_pb2.__file__.startswith(sys.argv[1]), token_service_pb2.__file__
rules = token_service_pb2.VerifyTokenRequest.DESCRIPTOR.fields_by_name["audience"].GetOptions().Extensions[validate_pb2.field]
status = token_service_pb2.BatchMintTokensResult(status=status_pb2.Status(code=3)).status
print(rules.HasField("string"), status.code, token_service_pb2_grpc.TokenServiceStub.__name__)
`

describe.skipIf(!hasPython)('Python stubs in a separate program', () => {
  it(
    'are generated with only grpcio-tools, including validation rules, and run',
    async () => {
      const folder = join(cacheFolder('python'), 'naive')
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder)
      const [own, thirdParty] = [join(ROOT, 'proto'), join(ROOT, 'proto', 'third_party')]
      const files = readdirSync(join(own, 'qscope', 'v1')).map((name) => `qscope/v1/${name}`)
      const include = ['-I', own, '-I', thirdParty]
      const to = [`--python_out=${folder}`, `--pyi_out=${folder}`, `--grpc_python_out=${folder}`]
      await python('-m', 'grpc_tools.protoc', ...include, ...to, ...files, 'buf/validate/validate.proto')
      expect(await python('-c', USES_STUBS, folder)).toBe('True 3 TokenServiceStub\n')
    },
    BUILD_MS,
  )
})

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, hasToolchain, run } from '../interop/toolchain.ts'
import { inFull } from '../setup/scale.ts'
import { ALL_SERVERS, CASES, COMPRESSION_CASES, describeClient } from './client-suite.ts'

const hasPython = hasToolchain({
  name: 'python',
  suite: 'the interoperability tests by grpcio',
  programs: ['python3'],
  version: ['--version'],
  atLeast: [3, 11],
})
const SOURCE = join(import.meta.dirname, 'python')
const PROTO = join(import.meta.dirname, 'proto')
const FOLDER = cacheFolder('grpc-python-interop')
const ENVIRONMENT = join(FOLDER, 'environment')
const PINNED = join(SOURCE, 'requirements.txt')
/** The file in the environment with its installed versions. */
const INSTALLED = join(ENVIRONMENT, 'installed.txt')
const STUBS = join(FOLDER, 'stubs')
const python = (...args: string[]) => run(join(ENVIRONMENT, 'bin', 'python'), args, { cwd: SOURCE })

describeClient(hasPython, {
  name: 'grpcio, which comes without a client for them',
  build: async () => {
    const wanted = readFileSync(PINNED, 'utf8')
    if (!existsSync(INSTALLED) || readFileSync(INSTALLED, 'utf8') !== wanted) {
      await run('python3', ['-m', 'venv', '--clear', ENVIRONMENT])
      await python('-m', 'pip', 'install', '--quiet', '--require-hashes', '--requirement', PINNED)
      writeFileSync(INSTALLED, wanted)
    }
    rmSync(STUBS, { recursive: true, force: true })
    mkdirSync(STUBS)
    const files = ['empty', 'messages', 'test'].map((name) => `grpc/testing/${name}.proto`)
    await python(
      '-m',
      'grpc_tools.protoc',
      '-I',
      PROTO,
      `--python_out=${STUBS}`,
      `--grpc_python_out=${STUBS}`,
      ...files,
    )
  },
  cases: (transport) => [
    ...CASES,
    ...(transport === 'native' ? COMPRESSION_CASES : []),
    'half_duplex',
    'rpc_soak',
    'channel_soak',
  ],
  alsoRunOn: inFull ? ALL_SERVERS : [['native', true]],
  run: (testCase, { port, caFile }) =>
    python('interop_cases.py', STUBS, testCase, `${port}`, ...(caFile === null ? [] : [caFile])),
})

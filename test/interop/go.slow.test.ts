import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeCachingVerifier } from './caching-verifier.ts'
import { BUILD_MS, cacheFolder, generateStubs, hasToolchain, ROOT, run } from './toolchain.ts'
import { describeTour } from './tour.ts'

const hasGo = hasToolchain({
  name: 'go',
  suite: 'the client in Go',
  programs: ['go'],
  version: ['version'],
  atLeast: [1, 24],
})
const SOURCE = join(ROOT, 'clients', 'go')

const TOUR = join(cacheFolder('go'), 'tour')

describeTour('Go', hasGo, {
  build: async () => {
    await generateStubs('go')
    await run('go', ['build', '-o', TOUR, './cmd/tour'], { cwd: SOURCE })
  },
  take: (settings) => run(TOUR, [settings]),
})

const CACHING = join(cacheFolder('go'), 'caching')

describeCachingVerifier('Go', hasGo, {
  build: async () => {
    await generateStubs('go')
    await run('go', ['build', '-o', CACHING, './cmd/caching'], { cwd: SOURCE })
  },
  command: [CACHING],
  cwd: SOURCE,
})

describe.skipIf(!hasGo)('the package for Go', () => {
  it(
    'passes gofmt, go vet and its own tests',
    async () => {
      // gofmt need not be on the path, even if `go` is.
      const root = (await run('go', ['env', 'GOROOT'])).trim()
      expect(await run(join(root, 'bin', 'gofmt'), ['-l', '.'], { cwd: SOURCE })).toBe('')
      await run('go', ['vet', './...'], { cwd: SOURCE })
      await run('go', ['test', './...'], { cwd: SOURCE })
    },
    BUILD_MS,
  )
})

/** Templates of buf, as users write them. `docs/clients.md` shows the second one. */
const MANAGED = Object.freeze([
  {
    kind: 'default managed mode',
    module: 'qscope.internal/client',
    out: '.',
    option: 'module=qscope.internal/client',
    managed: 'managed:\n  enabled: true\n',
  },
  {
    kind: 'no managed mode',
    module: 'qscope.internal/client',
    out: 'gen',
    option: 'paths=source_relative',
    managed: '',
  },
  {
    kind: 'managed mode with the prefix of the module',
    module: 'shop.example/orders',
    out: 'gen',
    option: 'paths=source_relative',
    managed: `managed:
  enabled: true
  disable:
    - file_option: go_package
      path: google
    - file_option: go_package
      path: buf
  override:
    - file_option: go_package_prefix
      value: shop.example/orders/gen
`,
  },
])

const USES_STUBS = (module: string) => `package main

import (
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	qscopev1 "${module}/gen/qscope/v1"
)

func main() {
	field := (&qscopev1.VerifyTokenRequest{}).ProtoReflect().Descriptor().Fields().ByName("audience")
	rules := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	var results *qscopev1.BatchMintTokensResult
	fmt.Println(rules.GetString() != nil, status.FromProto(results.GetStatus()).Code())
}
`

describe.skipIf(!hasGo)('Go stubs in a separate module', () => {
  it.each(MANAGED)(
    'are generated with $kind, and run with the packages that they import',
    async ({ module, out, option, managed }) => {
      const folder = join(cacheFolder('go'), 'naive')
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder)
      const own = readFileSync(join(SOURCE, 'go.mod'), 'utf8').replace(/^module .*$/m, `module ${module}`)
      writeFileSync(join(folder, 'go.mod'), own)
      cpSync(join(SOURCE, 'go.sum'), join(folder, 'go.sum'))
      const plugins = ['protoc-gen-go', 'protoc-gen-go-grpc'].map(
        (name) => `  - local: [go, tool, -C, ${SOURCE}, ${name}]\n    out: ${out}\n    opt: ${option}\n`,
      )
      writeFileSync(join(folder, 'buf.gen.yaml'), `version: v2\n${managed}plugins:\n${plugins.join('')}`)
      const buf = join(ROOT, 'node_modules', '.bin', 'buf')
      await run(buf, ['generate', ROOT, '--path', join(ROOT, 'proto', 'qscope')], { cwd: folder })
      writeFileSync(join(folder, 'main.go'), USES_STUBS(module))
      expect(await run('go', ['run', '.'], { cwd: folder })).toBe('true OK\n')
    },
    BUILD_MS,
  )
})

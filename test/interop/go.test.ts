import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
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

describe.skipIf(!hasGo)('the package for Go', () => {
  it(
    'is formatted and vetted, and holds what its own tests say',
    async () => {
      // It need not be on the path where `go` is.
      const root = (await run('go', ['env', 'GOROOT'])).trim()
      expect(await run(join(root, 'bin', 'gofmt'), ['-l', '.'], { cwd: SOURCE })).toBe('')
      await run('go', ['vet', './...'], { cwd: SOURCE })
      await run('go', ['test', './...'], { cwd: SOURCE })
    },
    BUILD_MS,
  )
})

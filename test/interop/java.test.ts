import { readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasToolchain, ROOT, run } from './toolchain.ts'
import { describeTour } from './tour.ts'

const hasJava = hasToolchain({
  name: 'java',
  suite: 'the client in Java',
  programs: ['javac', 'java', 'mvn'],
  version: ['-version'],
  atLeast: [17, 0],
})
const SOURCE = join(ROOT, 'clients', 'java')
const TARGET = join(SOURCE, 'target')
const CLASSES = [join(TARGET, 'classes'), join(TARGET, 'lib', '*')].join(delimiter)

describeTour('Java', hasJava, {
  // Generates the stubs and runs the tests of its own, too.
  build: () => run('mvn', ['--quiet', '--batch-mode', '--no-transfer-progress', 'package'], { cwd: SOURCE }),
  take: (settings) => run('java', ['-cp', CLASSES, 'internal.qscope.tour.Main', settings]),
})

describe.skipIf(!hasJava)('the package for Java', () => {
  it('was held against its own tests, which the build ran', () => {
    const reports = readdirSync(join(TARGET, 'surefire-reports')).filter((name) => name.endsWith('.xml'))
    expect(reports).toEqual([
      'TEST-internal.qscope.client.RemedyTest.xml',
      'TEST-internal.qscope.client.TokenSourceTest.xml',
    ])
  })
})

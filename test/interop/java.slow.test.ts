import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeCachingVerifier } from './caching-verifier.ts'
import { BUILD_MS, cacheFolder, hasToolchain, once, ROOT, run } from './toolchain.ts'
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

/** Runs once for all suites of this file. It also generates the stubs and runs the package's own tests. */
const build = once(() => run('mvn', ['--quiet', '--batch-mode', '--no-transfer-progress', 'package'], { cwd: SOURCE }))

describeTour('Java', hasJava, {
  build,
  take: (settings) => run('java', ['-cp', CLASSES, 'internal.qscope.tour.Main', settings]),
})

describeCachingVerifier('Java', hasJava, {
  build,
  command: ['java', '-cp', CLASSES, 'internal.qscope.tour.Caching'],
  cwd: SOURCE,
})

describe.skipIf(!hasJava)('the package for Java', () => {
  it('has run its own tests during the build', () => {
    const reports = readdirSync(join(TARGET, 'surefire-reports')).filter((name) => name.endsWith('.xml'))
    expect(reports).toEqual([
      'TEST-internal.qscope.client.CachingRacesTest.xml',
      'TEST-internal.qscope.client.CachingVerifierTest.xml',
      'TEST-internal.qscope.client.ConnectionTest.xml',
      'TEST-internal.qscope.client.ForgettingTest.xml',
      'TEST-internal.qscope.client.GuardTest.xml',
      'TEST-internal.qscope.client.KeySetTest.xml',
      'TEST-internal.qscope.client.RemedyTest.xml',
      'TEST-internal.qscope.client.RevocationLogTest.xml',
      'TEST-internal.qscope.client.RevocationPollerTest.xml',
      'TEST-internal.qscope.client.TokenSourceTest.xml',
    ])
  })
})

const USES_STUBS = `
import build.buf.validate.ValidateProto;
import internal.qscope.v1.BatchMintTokensResult;
import internal.qscope.v1.TokenServiceGrpc;
import internal.qscope.v1.VerifyTokenRequest;

public final class Program {
  public static void main(String[] arguments) {
    var audience = VerifyTokenRequest.getDescriptor().findFieldByName("audience");
    var rules = audience.getOptions().getExtension(ValidateProto.field);
    var status = BatchMintTokensResult.newBuilder().setStatus(com.google.rpc.Status.newBuilder().setCode(3)).getStatus();
    System.out.println(rules.hasString() + " " + status.getCode() + " " + TokenServiceGrpc.SERVICE_NAME);
  }
}
`

describe.skipIf(!hasJava)('Java stubs in a separate program', () => {
  it(
    'are generated with only protoc and its plugin, including validation rules, and run',
    async () => {
      const folder = join(cacheFolder('java'), 'naive')
      rmSync(folder, { recursive: true, force: true })
      const [sources, classes] = [join(folder, 'sources'), join(folder, 'classes')]
      for (const each of [sources, classes]) mkdirSync(each, { recursive: true })
      const [own, thirdParty] = [join(ROOT, 'proto'), join(ROOT, 'proto', 'third_party')]
      const files = readdirSync(join(own, 'qscope', 'v1')).map((name) => `qscope/v1/${name}`)
      const plugin = `--plugin=protoc-gen-grpc-java=${join(TARGET, 'protoc', 'protoc-gen-grpc-java')}`
      const to = [`--java_out=${sources}`, plugin, `--grpc-java_out=@generated=omit:${sources}`]
      // Takes protobuf's own types from its library, as the plugins of Maven do.
      const known = join(folder, 'known')
      mkdirSync(known)
      const library = readdirSync(join(TARGET, 'lib')).find((name) => /^protobuf-java-\d/.test(name)) ?? ''
      await run('jar', ['xf', join(TARGET, 'lib', library), 'google/protobuf'], { cwd: known })
      const include = ['-I', own, '-I', thirdParty, '-I', known]
      await run(join(TARGET, 'protoc', 'protoc'), [...include, ...to, ...files, 'buf/validate/validate.proto'])
      writeFileSync(join(sources, 'Program.java'), USES_STUBS)
      const libraries = join(TARGET, 'lib', '*')
      // The compiler finds the stubs that the program imports, and those that they import.
      await run('javac', ['-cp', libraries, '-sourcepath', sources, '-d', classes, join(sources, 'Program.java')])
      const printed = await run('java', ['-cp', [classes, libraries].join(delimiter), 'Program'])
      expect(printed).toBe('true 3 qscope.v1.TokenService\n')
    },
    BUILD_MS,
  )
})

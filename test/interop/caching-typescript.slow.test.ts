import { join } from 'node:path'
import { describeCachingVerifier } from './caching-verifier.ts'
import { ROOT } from './toolchain.ts'

describeCachingVerifier('TypeScript', true, {
  build: async () => undefined,
  command: [process.execPath, join(ROOT, 'test', 'interop', 'caching-program.ts')],
  cwd: ROOT,
})

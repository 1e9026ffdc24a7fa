import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { installed } from './installed.ts'
import { missing } from './requirement.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')

/** The folder of grpc-java's libraries, which `scripts/install-grpc-java.sh` fetches. */
export const GRPC_JAVA_LIBRARIES = join(ROOT, '.cache', 'grpc-java', 'lib')

/** Whether programs with grpc-java can run. If not, the skipped tests are reported. */
export function hasGrpcJava(skipped: string): boolean {
  const absent = ['java', 'jar', 'keytool'].filter((program) => installed(program) === null)
  if (absent.length > 0) missing('grpc-java', skipped, `install a JDK 17 or newer; there is no ${absent.join(', ')}`)
  const isFetched = existsSync(join(GRPC_JAVA_LIBRARIES, '..', 'fetched.xml'))
  if (!isFetched)
    missing('grpc-java', skipped, 'it is not fetched: run scripts/install-grpc-java.sh, which needs Maven')
  return absent.length === 0 && isFetched
}

import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'

/** Variables of the npm that runs the tests, which must not reach an npm in another folder. */
const OF_ANOTHER = /^(npm_(package|lifecycle)_|npm_command$|npm_config_(local_)?prefix$|INIT_CWD$)/

/** The environment of a user's shell, with the `node` of the tests. */
export function shellEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !OF_ANOTHER.test(name))
  return { ...Object.fromEntries(inherited), PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` }
}

/** Runs npm in a folder and returns its output. */
export function npm(folder: string, ...args: readonly string[]): string {
  return execFileSync('npm', [...args], { cwd: folder, env: shellEnvironment(), encoding: 'utf8', stdio: 'pipe' })
}

/** Whether packages can be installed. */
export function registryAnswers(): boolean {
  try {
    npm('.', 'view', '@bufbuild/protobuf', 'version', '--fetch-retries=0')
    return true
  } catch {
    return false
  }
}

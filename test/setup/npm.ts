import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'

/** What the npm that runs the tests tells its children of itself, which is not for an npm in another folder. */
const OF_ANOTHER = /^(npm_(package|lifecycle)_|npm_command$|npm_config_(local_)?prefix$|INIT_CWD$)/

/** The environment of a user's shell, in which `node` is the one that runs the tests. */
export function shellEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !OF_ANOTHER.test(name))
  return { ...Object.fromEntries(inherited), PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` }
}

/** Runs npm in a folder, and returns what it printed. */
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

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..', '..')
const CLIENT = join(ROOT, 'packages', 'client')

/** A folder with an installation of the published form of `@qscope/client`, in addition to the project's packages. */
export interface InstalledClient {
  readonly folder: string
  remove(): void
}

/** Compiles the package, so that no earlier build is tested. */
export function installClient(): InstalledClient {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-client-'))
  const installed = join(folder, 'node_modules', '@qscope', 'client')
  mkdirSync(installed, { recursive: true })
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  execFileSync(tsc, ['-p', join(CLIENT, 'tsconfig.build.json'), '--outDir', join(installed, 'dist')])
  cpSync(join(CLIENT, 'package.json'), join(installed, 'package.json'))
  for (const name of packagesIn(join(ROOT, 'node_modules'))) {
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), link)
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function packagesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`) : name,
    )
}

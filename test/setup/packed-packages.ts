import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { npm } from './npm.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')

/** The tarballs of both packages, in their own folder. */
export interface PackedPackages {
  readonly folder: string
  readonly server: string
  readonly client: string
  remove(): void
}

/** Packs the files in git, as in a fresh checkout, so that no earlier build affects the tarballs. */
export function packPackages(): PackedPackages {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-release-'))
  const checkout = copyCheckout(join(folder, 'checkout'))
  const pack = (of: string) => {
    // The build prints, too. The last line is the tarball's name.
    const printed = npm(of, 'pack', '--pack-destination', folder).trim().split('\n').at(-1) ?? ''
    return join(folder, printed)
  }
  return {
    folder,
    server: pack(checkout),
    client: pack(join(checkout, 'packages', 'client')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Copies the files in git into a new folder with the installed packages of this checkout. Returns the folder. */
export function copyCheckout(checkout: string): string {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  for (const file of listed.toString().split('\0')) {
    if (file === '' || !existsSync(join(ROOT, file))) continue
    mkdirSync(join(checkout, dirname(file)), { recursive: true })
    cpSync(join(ROOT, file), join(checkout, file))
  }
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
  return checkout
}

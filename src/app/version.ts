import { readFileSync } from 'node:fs'

/** Beside `src` and `dist` alike. */
const PACKAGE = new URL('../../package.json', import.meta.url)

/** The version of QScope that runs. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { readonly version: string }
  return version
}

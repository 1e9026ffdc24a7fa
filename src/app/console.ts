import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import type { ConsoleFile } from '../transports/http/console.ts'

/** Next to the bundled server. From the sources: the output folder of `npm run build:console`. */
const FOLDERS = [join(import.meta.dirname, 'console'), join(import.meta.dirname, '..', '..', 'dist', 'console')]
const INDEX = 'index.html'

const CONTENT_TYPES: Readonly<Record<string, string>> = Object.freeze({
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
})

/**
 * Reads the built console into memory, once: no request reaches the file system.
 * @throws Error of one line, when it has not been built.
 */
export async function readConsole(): Promise<readonly ConsoleFile[]> {
  const folder = FOLDERS.find((each) => existsSync(join(each, INDEX)))
  if (folder === undefined) {
    throw new Error('the console is not built: run npm run build:console, or set QSCOPE_CONSOLE=off')
  }
  const names = await readdir(folder, { recursive: true })
  return await Promise.all(
    names.filter((name) => extname(name) in CONTENT_TYPES).map((name) => readConsoleFile(folder, name)),
  )
}

async function readConsoleFile(folder: string, name: string): Promise<ConsoleFile> {
  const path = join(folder, name)
  const [bytes, br, gzip] = await Promise.all([readFile(path), readFile(`${path}.br`), readFile(`${path}.gz`)])
  return {
    name: name.replaceAll(sep, '/'),
    contentType: CONTENT_TYPES[extname(name)] ?? 'application/octet-stream',
    bytes,
    coded: new Map([
      ['br', br],
      ['gzip', gzip],
    ] as const),
  }
}

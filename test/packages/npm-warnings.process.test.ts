import { execFile, execFileSync } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../e2e/process.ts'
import { shellEnvironment } from '../setup/npm.ts'
import { missing } from '../setup/requirement.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const { devEngines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const OLDEST = Number(/^>=(\d+)$/.exec(devEngines.runtime.version)?.[1])
const folder = folderOfNode(OLDEST)

/** The folder on the path with the Node of a major version; `null` if there is none. */
function folderOfNode(major: number): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const isThere = (each: string) => {
    try {
      return Number(execFileSync(join(each, 'node'), ['-p', 'process.versions.node.split(".")[0]'])) === major
    } catch {
      return false
    }
  }
  return folders.find(isThere) ?? null
}

if (folder === null) missing('node20', 'npm on the oldest Node', `there is no node ${OLDEST} on the path`)

it('README.md names the required Node, and package.json makes npm fail with an older one', () => {
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`You need Node ${OLDEST} or newer and npm`)
  expect(devEngines.runtime).toEqual({ name: 'node', version: `>=${OLDEST}`, onFail: 'error' })
})

it.skipIf(folder === null)(
  'npm ci with the oldest Node prints no warning',
  async () => {
    const directory = await temporaryDirectory()
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(ROOT, name), join(directory, name))
    const shell = shellEnvironment()
    const env = { ...shell, PATH: `${folder}${delimiter}${shell['PATH']}` }
    const { stdout, stderr } = await promisify(execFile)('npm', ['ci', '--dry-run'], { cwd: directory, env })
    expect(stdout).toContain('added ')
    expect(stderr).toBe('')
  },
  120_000,
)

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { shellEnvironment } from '../setup/npm.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** Nothing listens there. */
const NO_REGISTRY = { npm_config_registry: 'http://127.0.0.1:9', npm_config_fetch_retries: '0' }

/** Builds the site of a checkout in which the generator is not installed, without a registry. */
function build(args: readonly string[], required: string) {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-site-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  cpSync(join(ROOT, 'scripts', 'site'), join(folder, 'scripts', 'site'), { recursive: true })
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
    cpSync(join(ROOT, 'site', file), join(folder, 'site', file))
  }
  const env = { ...shellEnvironment(), ...NO_REGISTRY, QSCOPE_TEST_REQUIRE: required }
  const script = join(folder, 'scripts', 'site', 'main.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const SAID = 'the generator of the site is not installed, and the package registry does not answer'

test('the check of the site reports that it is skipped if its generator cannot be installed', () => {
  expect(build(['--check'], '')).toEqual({ status: 0, stdout: '', stderr: `NOT CHECKED: the site; ${SAID}\n` })
})

test.each<[string, string[], string]>([
  ['the registry is demanded', ['--check'], 'go,registry'],
  ['the site itself is asked for', [], ''],
])('it fails if %s', (_where, args, required) => {
  expect(build(args, required)).toEqual({ status: 1, stdout: '', stderr: `site: ${SAID}\n` })
})

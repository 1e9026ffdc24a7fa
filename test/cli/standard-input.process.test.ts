import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { emptyFolder, MAIN, qscope } from './process.ts'

const TIMEOUT = 120_000
const COMMAND = `'${process.execPath}' '${MAIN}'`
const SET = 'context set dev --server 127.0.0.1:1 --client-id orders --client-secret -'

test(
  'waits for the secret of a program that starts slowly',
  async () => {
    const folder = emptyFolder()
    const env = { PATH: process.env['PATH'] ?? '', XDG_CONFIG_HOME: join(folder, '.config'), ...COMPILE_CACHE }
    const late = `for start in 1 2 3; do ${COMMAND} --version > version; done; printf secret`
    const { stdout } = await promisify(execFile)('sh', ['-c', `(${late}) | ${COMMAND} ${SET}`], { cwd: folder, env })
    expect(stdout).toMatch(/^client secret +\(kept in the context\)$/m)
  },
  TIMEOUT,
)

test(
  'two secrets from one standard input are refused',
  async () => {
    const { code, stderr } = await qscope(
      emptyFolder(),
      ['token', 'verify', '-', ...SET.split(' ').slice(3)],
      {},
      'one',
    )
    expect(stderr).toBe('qscope: standard input can hold one secret only: give the other one in another way\n')
    expect(code).toBe(2)
  },
  TIMEOUT,
)

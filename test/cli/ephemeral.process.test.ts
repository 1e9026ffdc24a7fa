import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { emptyFolder, MAIN, qscope } from './process.ts'

const SEED = `
kind: Client
spec:
  clientId: orders
  type: CLIENT_TYPE_CONFIDENTIAL
  grantTypes: [GRANT_TYPE_CLIENT_CREDENTIALS]
  scopes: [orders.read]
---
kind: User
spec: { externalId: u-1 }
`

const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

/** A folder with a seed, and one for temporary files. */
function folderWith(seed: string): string {
  const folder = emptyFolder()
  mkdirSync(join(folder, 'tmp'))
  writeFileSync(join(folder, 'seed.yaml'), seed)
  return folder
}

async function serve(folder: string) {
  const env = {
    PATH: process.env['PATH'] ?? '',
    ...COMPILE_CACHE,
    QSCOPE_GRPC_LISTEN: '127.0.0.1:0',
    QSCOPE_DATABASE_URL: 'sqlite:kept.db',
    TMPDIR: join(folder, 'tmp'),
  }
  const args = ['serve', '--ephemeral', '--seed', 'seed.yaml']
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const ended = once(child, 'exit')
  child.stdout.on('data', (chunk) => (stdout += chunk))
  await expect.poll(() => child.exitCode !== null || /grpcurl/.test(stdout)).toBe(true)
  const [, address = ''] = /listens on (\S+)/.exec(stdout) ?? []
  return { child, address, ended, stdout: () => stdout, stderr: () => stderr }
}

describe('qscope serve --ephemeral', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'serves the objects of the seed, and leaves no file behind after %s',
    async (signal) => {
      const folder = folderWith(SEED)
      const { child, address, ended, stdout } = await serve(folder)
      const [, secret = ''] = /^ {2}orders {2}(\S+)$/m.exec(stdout()) ?? []
      const mint = ['token', 'mint', '--server', address, '--client-id', 'orders', '--client-secret', '-', '--json']
      const minted = await qscope(emptyFolder(), mint, {}, secret)
      expect(minted).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(minted.stdout).token.scopes).toEqual(['orders.read'])
      child.kill(signal)
      await ended
      expect(readdirSync(folder).toSorted()).toEqual(['seed.yaml', 'tmp'])
      expect(readdirSync(join(folder, 'tmp'))).toEqual([])
    },
  )

  it('does not start with an invalid seed, and states the reason', async () => {
    const folder = folderWith(
      `${SEED}---\nkind: Client\nspec: { clientId: bad, type: CLIENT_TYPE_PUBLIC, scopes: [a b] }\n`,
    )
    const { child, stderr } = await serve(folder)
    expect(child.exitCode).toBe(1)
    expect(stderr()).toMatch(/qscope: seed\.yaml:\d+: Client bad: REGISTRATION_INVALID_CLIENT_METADATA.*scopes\[0\]/)
  })

  it('accepts a seed only for an ephemeral database', async () => {
    const outcome = await qscope(folderWith(SEED), ['serve', '--seed', 'seed.yaml'])
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('--seed requires --ephemeral') })
  })
})

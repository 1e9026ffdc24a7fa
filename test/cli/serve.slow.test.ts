import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { COMPILE_CACHE } from '../setup/compile-cache.ts'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const TIMEOUT = 300_000
const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

async function serve(folder: string) {
  const env = { PATH: process.env['PATH'] ?? '', ...COMPILE_CACHE, QSCOPE_GRPC_LISTEN: '127.0.0.1:0' }
  const child = spawn(process.execPath, [MAIN, 'serve'], { cwd: folder, env })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const ended = once(child, 'exit')
  const listening = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      const [, address] = /listens on (\S+)/.exec(stdout) ?? []
      if (address !== undefined) resolve(address)
    })
    child.on('exit', () => reject(new Error(stderr)))
  })
  return { child, address: await listening, stdout: () => stdout, stderr: () => stderr, ended }
}

test(
  'the commands work on a running server, and it ends cleanly',
  async () => {
    const folder = emptyFolder()
    const { child, address, stdout, stderr, ended } = await serve(folder)
    const [, secret = ''] = /client secret {2}(\S+)/.exec(stdout()) ?? []
    const elsewhere = emptyFolder()
    const proof = { QSCOPE_CLIENT_ID: 'admin', QSCOPE_CLIENT_SECRET: secret }
    const remote = (...args: string[]) => qscope(elsewhere, [...args, '--server', address, '--json'], proof)

    const made = await remote(
      'client',
      'create',
      '--id',
      'orders',
      '--grant',
      'client_credentials',
      '--scope',
      'o.read',
    )
    expect(made).toMatchObject({ code: 0, stderr: '' })
    const { clientSecret } = JSON.parse(made.stdout)
    const asOrders = ['--client-id', 'orders', '--client-secret', clientSecret]
    const { token } = JSON.parse((await remote('token', 'mint', ...asOrders)).stdout)
    const bearer = JSON.parse((await remote('token', 'mint')).stdout).token.accessToken
    const seen = await qscope(elsewhere, ['token', 'introspect', token.accessToken, '--server', address, '--json'], {
      QSCOPE_TOKEN: bearer,
    })
    expect(JSON.parse(seen.stdout)).toMatchObject({ active: true, claims: { clientId: 'orders' } })

    const refused = await remote('client', 'get', 'nobody')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^qscope: RESOURCE_NOT_FOUND: .* \(ray id [\w-]+\)\n$/)

    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(stderr()).toContain('"msg":"stopped"')
    expect(stdout() + stderr()).not.toContain(clientSecret)
    expect(stderr()).not.toContain(secret)

    const gone = await remote('client', 'list')
    expect(gone.code).toBe(1)
    expect(gone.stderr).toContain(`no server listens at ${address}`)
  },
  TIMEOUT,
)

test(
  'with an outdated schema it starts, states the remedy, and serves after the migration',
  async () => {
    const folder = await folderWithDatabase()
    expect((await qscope(folder, ['client', 'create', '--admin'])).code).toBe(0)
    expect((await qscope(folder, ['migrate', 'down', '--yes'])).code).toBe(0)
    const { child, stderr, ended } = await serve(folder)
    await expect.poll(stderr, { timeout: 60_000 }).toContain('qscope migrate up')
    expect((await qscope(folder, ['migrate', 'up'])).code).toBe(0)
    await expect.poll(stderr, { timeout: 60_000 }).toContain('serving again')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
  },
  TIMEOUT,
)

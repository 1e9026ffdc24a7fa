import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'
import { qscope, run, temporaryDirectory, watched } from './process.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const BUF = join(ROOT, 'node_modules', '.bin', 'buf')
const SERVICES = ['qscope.v1.AuditService', 'qscope.v1.ClientService', 'qscope.v1.TokenService']
const LISTEN = { QSCOPE_GRPC_LISTEN: '127.0.0.1:0' }

async function started(directory: string, env: Record<string, string> = {}) {
  const server = qscope(directory, ['serve'], { ...LISTEN, ...env })
  const [, address = ''] = await server.until(/listens on (\S+)/)
  const secret = /client secret {2}(\S+)/.exec(server.stdout)?.[1] ?? ''
  return { server, address, secret, client: { clientId: 'admin', clientSecret: secret } }
}

/** Runs `buf curl`; returns its exit code and its output. */
async function bufCurl(...args: string[]) {
  try {
    const { stdout } = await promisify(execFile)(BUF, [
      'curl',
      '--protocol',
      'grpc',
      '--http2-prior-knowledge',
      ...args,
    ])
    return { code: 0, stdout, stderr: '' }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

describe('the first start', () => {
  it('creates a database, a keyring and an admin client, and prints calls that work unchanged', async () => {
    const directory = await temporaryDirectory()
    const { server, address, secret } = await started(directory)
    expect(secret).toMatch(/^qcs_[0-9A-Za-z]{49}$/)
    expect(server.stderr).not.toContain(secret)

    const printed = server.stdout.slice(server.stdout.indexOf('Read the secret into a variable'))
    expect(printed).toContain('\n  read -rs ADMIN_SECRET\n')
    expect(printed).toContain('\n  read -rs TOKEN\n')
    expect(printed).not.toContain(secret)
    const pasted = [...printed.matchAll(/^ {2}printf .*\|\n {4}npx buf .*\\\n.*$/gm)].map(([text]) => text)
    expect(pasted.length).toBe(2)
    const shell = async (command = '', more = {}) => {
      const env = { ...process.env, ADMIN_SECRET: secret, ...more }
      const typed = command.replace('npx buf', BUF)
      return JSON.parse((await promisify(execFile)('bash', ['-c', typed], { env })).stdout)
    }
    const { token } = await shell(pasted[0])
    expect(token.accessToken).toMatch(/^qat_/)
    const verified = await shell(pasted[1], { TOKEN: token.accessToken })
    expect(verified.claims.clientId).toBe('admin')

    expect(statSync(join(directory, 'data', 'qscope.db')).mode & 0o777).toBe(0o600)
    expect(statSync(join(directory, 'data', 'qscope.keyring.json')).mode & 0o777).toBe(0o600)
    const reflected = await bufCurl('--list-methods', `http://${address}`)
    for (const service of SERVICES) expect(reflected.stdout).toContain(`${service}/`)
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
  })

  it('shows the secret once: a second start does not show it, and the token still works', async () => {
    const directory = await temporaryDirectory()
    const first = await started(directory)
    const connection = connect(first.address)
    const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value: first.secret } }
    const { token } = await connection.call(TokenService.method.mintToken, { client })
    connection.close()
    first.server.child.kill('SIGTERM')
    await first.server.ended

    const begun = Date.now()
    const second = await started(directory)
    expect(second.server.stdout).not.toContain('secret')
    expect(Date.now() - begun).toBeLessThan(20_000)
    const again = connect(second.address)
    const answer = await again.call(TokenService.method.introspectToken, { client, token: token?.accessToken ?? '' })
    expect(answer.active).toBe(true)
    again.close()
  })

  it('works on a database in memory, and creates no file', async () => {
    const directory = await temporaryDirectory()
    const { address, secret } = await started(directory, { QSCOPE_DATABASE_URL: 'sqlite::memory:' })
    const request = JSON.stringify({ client: { client_id: 'admin', client_secret: secret } })
    const { stdout } = await bufCurl('-d', request, `http://${address}/qscope.v1.TokenService/MintToken`)
    expect(JSON.parse(stdout).token.tokenType).toBe('Bearer')
    expect(existsSync(join(directory, 'data'))).toBe(false)
  })
})

describe('npm start', () => {
  const SCRIPT = join(ROOT, 'scripts', 'quick-start.sh')

  it('serves the console to this machine, at the address that it prints', async () => {
    const HOME = await temporaryDirectory()
    const QSCOPE_DATABASE_URL = `sqlite:${join(HOME, 'qscope.db')}`
    const env = { PATH: process.env['PATH'], HOME, ...LISTEN, QSCOPE_HTTP_LISTEN: '127.0.0.1:0', QSCOPE_DATABASE_URL }
    const child = spawn(SCRIPT, { cwd: ROOT, env })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [, url = ''] = await watched(child).until(/^Console at (http:\/\/127\.0\.0\.1:\d+\/console\/)$/m)
    const page = await fetch(url)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<div id="app">')])
  })

  it.each([
    [{}, '127.0.0.1:8080', 'on'],
    [{ QSCOPE_HTTP_LISTEN: '127.0.0.1:8081' }, '127.0.0.1:8081', 'on'],
    [{ QSCOPE_HTTP_LISTEN: 'localhost:8081' }, 'localhost:8081', 'on'],
    [{ QSCOPE_HTTP_LISTEN: '[::1]:8081' }, '[::1]:8081', 'on'],
    [{ QSCOPE_HTTP_LISTEN: '0.0.0.0:8080' }, '0.0.0.0:8080', ''],
    [{ QSCOPE_HTTP_LISTEN: 'off' }, 'off', ''],
    [{ QSCOPE_CONSOLE: 'off' }, '127.0.0.1:8080', 'off'],
  ])('with %o, opens HTTP at %s and has the console %o', async (variables, http, console) => {
    const directory = await temporaryDirectory()
    mkdirSync(join(directory, 'src'))
    // In the place of the server, a program that prints its variables.
    const program = '#!/bin/sh\necho "$QSCOPE_HTTP_LISTEN|$QSCOPE_CONSOLE"\n'
    writeFileSync(join(directory, 'src', 'main.ts'), program, { mode: 0o755 })
    const env = { PATH: process.env['PATH'], ...variables }
    expect(execFileSync(SCRIPT, { cwd: directory, env, encoding: 'utf8' })).toBe(`${http}|${console}\n`)
  })
})

describe('a user of buf curl', () => {
  it('reads the details of a refusal, in text and by exit code', async () => {
    const { address } = await started(await temporaryDirectory())
    const request = JSON.stringify({ client: { client_id: 'admin', client_secret: 'wrong' } })
    const { code, stderr } = await bufCurl('-d', request, `http://${address}/qscope.v1.TokenService/MintToken`)
    expect(code).toBe(16 * 8)
    expect(stderr).toContain('unauthenticated')
    expect(stderr).toContain('Client authentication failed.')
    expect(stderr).toContain('google.rpc.ErrorInfo')
  })

  it("gets a link to the operator's errors page with an error", async () => {
    const QSCOPE_ERROR_DOCS_URL = 'https://docs.example/qscope/errors.html'
    const { address } = await started(await temporaryDirectory(), { QSCOPE_ERROR_DOCS_URL })
    const request = JSON.stringify({ client: { client_id: 'admin', client_secret: 'wrong' } })
    const { stderr } = await bufCurl('-d', request, `http://${address}/qscope.v1.TokenService/MintToken`)
    const { details } = JSON.parse(stderr.slice(stderr.indexOf('{')))
    const help = details.find(({ type }: { type: string }) => type === 'google.rpc.Help')
    expect(Buffer.from(help.value, 'base64').toString()).toContain(`${QSCOPE_ERROR_DOCS_URL}#oauth-invalid-client`)
  })

  it('can check that each service is healthy', async () => {
    const { address } = await started(await temporaryDirectory())
    for (const service of ['', ...SERVICES]) {
      const request = JSON.stringify({ service })
      const { stdout } = await bufCurl('-d', request, `http://${address}/grpc.health.v1.Health/Check`)
      expect(JSON.parse(stdout)).toEqual({ status: 'SERVING' })
    }
  })
})

describe('a start that cannot succeed reports the reason in one line', () => {
  const lines = (text: string) => text.trim().split('\n')

  it('every invalid variable at once', async () => {
    const env = { QSCOPE_GRPC_LISTEN: 'nowhere', QSCOPE_LOG_LEVEL: 'loud', QSCOPE_DATABASE_URL: 'oracle://x' }
    const { code, stderr } = await run(await temporaryDirectory(), ['serve'], env)
    expect(code).toBe(1)
    for (const name of Object.keys(env)) expect(stderr).toContain(name)
  })

  it('a port in use, before a secret is generated', async () => {
    const directory = await temporaryDirectory()
    const { address } = await started(directory)
    const other = await temporaryDirectory()
    const { code, stdout, stderr } = await run(other, ['serve'], { QSCOPE_GRPC_LISTEN: address })
    expect(code).toBe(1)
    expect(lines(stderr)).toEqual([expect.stringContaining('in use')])
    expect(stdout).toBe('')
    expect(existsSync(join(other, 'data'))).toBe(false)
  })

  it('plaintext outside loopback', async () => {
    const { code, stderr } = await run(await temporaryDirectory(), ['serve'], { QSCOPE_GRPC_LISTEN: '0.0.0.0:0' })
    expect(code).toBe(1)
    expect(stderr).toContain('QSCOPE_INSECURE')
  })

  it('a keyring that lacks a key of the database, with the key id', async () => {
    const directory = await temporaryDirectory()
    const { server } = await started(directory)
    server.child.kill('SIGTERM')
    await server.ended
    const { rename } = await import('node:fs/promises')
    await rename(join(directory, 'data', 'qscope.keyring.json'), join(directory, 'kept.json'))
    const { code, stderr } = await run(directory, ['serve'], LISTEN)
    expect(code).toBe(1)
    expect(stderr).toMatch(/pepper-[0-9a-f]{8}/)
  })

  it('a file that is not a database', async () => {
    const directory = await temporaryDirectory()
    const { writeFile } = await import('node:fs/promises')
    await writeFile(
      join(directory, 'not.db'),
      'this is a letter, not a database, and it is long enough to tell'.repeat(100),
    )
    chmodSync(join(directory, 'not.db'), 0o600)
    const { code, stderr } = await run(directory, ['serve'], { ...LISTEN, QSCOPE_DATABASE_URL: 'sqlite:./not.db' })
    expect(code).toBe(1)
    expect(lines(stderr).length).toBe(1)
    expect(stderr).toContain('not.db')
  })
})

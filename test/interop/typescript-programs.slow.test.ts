import { execFile, spawn } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { givenServer } from '../packages/client/given.ts'
import { startNetworkProxy } from '../packages/client/network-proxy.ts'
import { grantsOn } from '../setup/grants.ts'
import { type InstalledClient, installClient } from '../setup/installed-client.ts'

const PROGRAMS = resolve(import.meta.dirname, '..', '..', 'clients')
const server = givenServer()

let installed: InstalledClient
beforeAll(() => {
  installed = installClient()
  for (const name of ['typescript-grpc-js', 'typescript-connect']) {
    cpSync(join(PROGRAMS, name), join(installed.folder, name), { recursive: true })
  }
})
afterAll(() => installed.remove())

interface Outcome {
  readonly code: number
  readonly answer: Readonly<Record<string, unknown>>
  readonly stderr: string
}

describe.each(['typescript-grpc-js', 'typescript-connect'])('the program %s', (name) => {
  const environment = (client: { clientId: string; clientSecret?: string }, address = server().address) => ({
    PATH: process.env['PATH'] ?? '',
    QSCOPE_ADDRESS: address,
    QSCOPE_PLAINTEXT: '1',
    QSCOPE_CLIENT_ID: client.clientId,
    ...(client.clientSecret !== undefined &&
      client.clientSecret !== '' && { QSCOPE_CLIENT_SECRET: client.clientSecret }),
  })
  const run = (env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
    new Promise<Outcome>((done) => {
      const program = [join(installed.folder, name, 'src', 'main.ts'), ...args]
      execFile(process.execPath, program, { env, timeout: 30_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        done({ code, answer: stdout === '' ? {} : JSON.parse(stdout), stderr })
      })
    })
  const service = () => server().registerClient({ scopes: ['orders.read', 'orders.write'] })

  it('mints one token for concurrent callers, and verifies it', async () => {
    const client = await service()
    const minted = await run(environment(client), 'mint', 'orders.read')
    expect(minted).toMatchObject({ code: 0, answer: { scopes: ['orders.read'], tokensMinted: 1 } })
    const verified = await run(environment(client), 'verify', String(minted.answer['accessToken']))
    expect(verified).toMatchObject({
      code: 0,
      answer: { good: true, tokenId: minted.answer['tokenId'], clientId: client.clientId, scopes: ['orders.read'] },
    })
  })

  it('refreshes, and saves the new refresh token for the next run', async () => {
    const grants = grantsOn(server())
    const client = await grants.webClient()
    const { refreshToken } = await grants.signIn(client)
    const file = join(installed.folder, `${name}-${client.clientId}`)
    writeFileSync(file, refreshToken)
    for (let round = 0; round < 2; round += 1) {
      const refreshed = await run(environment(client), 'refresh', file)
      expect(refreshed).toMatchObject({ code: 0, answer: { scopes: ['orders.read', 'orders.write'] } })
      expect(await grants.isActive(String(refreshed.answer['accessToken']))).toBe(true)
    }
    expect(readFileSync(file, 'utf8')).not.toBe(refreshToken)
  })

  it('shows a user code, and prints the tokens after the user consents', async () => {
    const grants = grantsOn(server())
    const { clientId } = await grants.deviceClient()
    const program = [join(installed.folder, name, 'src', 'main.ts'), 'device', 'orders.read']
    const child = spawn(process.execPath, program, { env: environment({ clientId }) })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [shown, printed] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.on('close', () => printed.resolve(stdout))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const code = /type (\S+)/.exec(text)?.[1]
      if (code !== undefined) shown.resolve(code)
    })
    await grants.approveDevice({ userCode: await shown.promise })
    expect(JSON.parse(await printed.promise)).toMatchObject({ state: 'approved', scopes: ['orders.read'] })
  })

  it('prints the reason of a refusal, and the advice for it', async () => {
    const client = await service()
    const greedy = await run(environment(client), 'mint', 'orders.delete')
    expect(greedy).toMatchObject({ code: 1, answer: { reason: 'OAUTH_INVALID_SCOPE', status: 'INVALID_ARGUMENT' } })
    expect(greedy.answer['advice']).toContain('rejected_scopes')
    const guessing = await run(environment({ ...client, clientSecret: 'wrong' }), 'mint')
    expect(guessing).toMatchObject({ code: 1, answer: { reason: 'OAUTH_INVALID_CLIENT' } })
    expect(guessing.answer['rayId']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('prints UNAVAILABLE without a reason when the server is unreachable', async () => {
    const proxy = await startNetworkProxy(server().address)
    proxy.down()
    const away = await run(environment(await service(), proxy.address), 'mint')
    expect(away).toMatchObject({ code: 1, answer: { reason: null, status: 'UNAVAILABLE' } })
    await proxy.up()
  })

  it('uses TLS unless QSCOPE_PLAINTEXT is set', async () => {
    const { QSCOPE_PLAINTEXT, ...secure } = environment(await service())
    expect(QSCOPE_PLAINTEXT).toBe('1')
    expect((await run(secure, 'mint')).code).not.toBe(0)
  })
})

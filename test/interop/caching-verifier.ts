import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AccessTokenFormat } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { KeyService, SigningKeyState } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type RestartableServer, restartableServer } from '../e2e/restartable-server.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { BUILD_MS } from './toolchain.ts'

const ISSUER = 'https://qscope.internal'
const WAREHOUSE = 'https://warehouse.internal'
/** Longer than the checks while the killed server is down. */
const BOUND_MS = 6_000

/** A client in another language that verifies the tokens of its standard input with its caching verifier. */
export interface VerifyingProgram {
  build(): Promise<unknown>
  /** The program and its arguments. The file of settings is appended. */
  readonly command: readonly [program: string, ...args: string[]]
  readonly cwd: string
}

interface Told {
  readonly result: string
  readonly current: boolean
  readonly after_ms: number
}

/**
 * Tests the caching verifier of another language with a real server: revoke,
 * disable, kill the server and start it again. The rules are in the
 * cases of clients/conformance, which the tests of each language run.
 */
export function describeCachingVerifier(language: string, isPossible: boolean, program: VerifyingProgram): void {
  describe.skipIf(!isPossible)(`the caching verifier in ${language}`, () => {
    it(
      'accepts kept tokens until they are revoked, or until the bound without revocations is over',
      async () => {
        await program.build()
        const server = await restartableServer(sqliteFiles, { QSCOPE_ISSUER: ISSUER })
        let running = await server.start()
        const warehouse = await server.registerClient({ clientId: 'warehouse', resourceAudiences: [WAREHOUSE] })
        const orders = await server.registerClient({ clientId: 'orders', audiences: [WAREHOUSE] })
        const jwts = { audiences: [WAREHOUSE], config: { accessTokenFormat: AccessTokenFormat.JWT } }
        const reports = await server.registerClient({ clientId: 'reports', ...jwts })
        const invoices = await server.registerClient({ clientId: 'invoices', ...jwts })
        const mint = async ({ client }: typeof orders) => {
          const { token } = await server.call(TokenService.method.mintToken, { client, audiences: [WAREHOUSE] })
          return token?.accessToken ?? ''
        }
        const verifier = await startVerifier(program, {
          address: server.address,
          issuer: ISSUER,
          audience: WAREHOUSE,
          client_id: warehouse.clientId,
          client_secret: warehouse.clientSecret,
          bound_ms: BOUND_MS,
        })

        const [revoked, untouched] = [await mint(orders), await mint(orders)]
        expect(await verifier.verify(revoked)).toMatchObject({ result: 'accepted', current: true })
        expect(await verifier.verify(untouched)).toMatchObject({ result: 'accepted', current: true })
        await server.call(TokenService.method.revokeToken, { client: orders.client, token: revoked })
        await verifier.expectSoon(revoked, 'invalid_token')
        expect(await verifier.verify(untouched)).toMatchObject({ result: 'accepted', current: true })

        const jwt = await mint(reports)
        expect(await verifier.verify(jwt)).toMatchObject({ result: 'accepted', current: true })
        const bearer = { bearer: server.admin.token }
        await server.call(ClientService.method.disableClient, { clientId: 'reports' }, bearer)
        await verifier.expectSoon(jwt, 'invalid_token')
        await server.call(ClientService.method.enableClient, { clientId: 'reports' }, bearer)
        await verifier.expectSoon(jwt, 'accepted')

        const [last, unseen] = [await mint(orders), await mint(invoices)]
        expect(await verifier.verify(last)).toMatchObject({ result: 'accepted' })
        await server.call(TokenService.method.revokeToken, { client: orders.client, token: last })
        // After an answer to a poll, the time until the bound is longest.
        await verifier.expectSoon(last, 'invalid_token')
        running.child.kill('SIGKILL')
        await running.ended
        expect(await verifier.verify(untouched)).toMatchObject({ result: 'accepted', current: true })
        // There was no call for this one: it was verified offline.
        expect(await verifier.verify(unseen)).toMatchObject({ result: 'accepted', current: true })
        await verifier.expectSoon(untouched, 'unavailable')
        expect(await verifier.verify(unseen)).toMatchObject({ result: 'unavailable', current: false })

        running = await server.start()
        await verifier.expectSoon(untouched, 'accepted')
        await verifier.expectSoon(unseen, 'accepted')
        await server.call(TokenService.method.revokeToken, { client: orders.client, token: untouched })
        await verifier.expectSoon(untouched, 'invalid_token')
        await revokeSigningKey(server)
        await verifier.expectSoon(unseen, 'invalid_token')
        expect(await verifier.end()).toBe(0)
      },
      BUILD_MS,
    )
  })
}

/** Revokes the active signing key, and with it all JWTs. */
async function revokeSigningKey({ call, admin }: RestartableServer): Promise<void> {
  const bearer = { bearer: admin.token }
  const { keys } = await call(KeyService.method.listSigningKeys, {}, bearer)
  const signing = keys.find(({ state }) => state === SigningKeyState.ACTIVE)
  await call(KeyService.method.revokeSigningKey, { keyId: signing?.keyId ?? '' }, bearer)
}

/** Starts the program; resolves when its verifier is current. */
async function startVerifier({ command: [file, ...args], cwd }: VerifyingProgram, settings: object) {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-verifier-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const settingsFile = join(folder, 'settings.json')
  writeFileSync(settingsFile, JSON.stringify(settings))
  const child = spawn(file, [...args, settingsFile], { cwd })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = linesOf(child)
  const ended = new Promise<number | null>((done) => child.once('close', done))
  expect(JSON.parse(await lines.next())).toEqual({ current: true })

  async function ask(asked: object): Promise<Told> {
    child.stdin.write(`${JSON.stringify(asked)}\n`)
    return JSON.parse(await lines.next())
  }
  return {
    verify: (token: string) => ask({ token }),
    /** Waits for a result, for up to ten times the bound, since the machine may be busy. */
    async expectSoon(token: string, result: string) {
      const told = await ask({ token, until: result })
      expect(told).toMatchObject({ result })
      expect(told.after_ms).toBeLessThan(10 * BOUND_MS)
    },
    /** Ends its input; resolves to its exit code. */
    end() {
      child.stdin.end()
      return ended
    },
  }
}

/** The lines of standard output one by one; throws standard error if the program ends. */
function linesOf(child: ChildProcessWithoutNullStreams) {
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async next() {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the program ended:\n${said}`)
      return value
    },
  }
}

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportAuditLog } from '../../src/app/audit-export.ts'
import { drawKeyMaterial, KEY_PURPOSES, Keyring } from '../../src/crypto/keyring.ts'
import { openPrivateKey } from '../../src/crypto/signing-keys.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { emptyFolder, qscope } from '../cli/process.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { connect } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { JWT, jwtsOn } from '../setup/jwt.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { trustedIssuers } from '../setup/trusted-issuers.ts'
import { useEveryGrant } from './every-grant.ts'
import { LIMITS_OFF } from './limits-off.ts'
import { Needles } from './needles.ts'
import { serve } from './served.ts'

const TIMEOUT = 300_000
const issuers = await trustedIssuers(suiteFolder())

/** Passes secrets to the command line in every way; returns its logs and its answers that must not contain secrets. */
async function useCommandLine(server: TestServer, needles: Needles): Promise<string> {
  const { clientId, clientSecret, token } = server.admin
  const connection = ['--server', server.address]
  const client = ['--client-id', clientId, '--client-secret', clientSecret]
  const env = { QSCOPE_LOG_LEVEL: 'debug', QSCOPE_TOKEN: token }
  const [minted, ...others] = await Promise.all(
    [
      ['token', 'mint', ...connection, ...client, '--json'],
      ['token', 'introspect', token, ...connection, ...client],
      ['token', 'mint', ...connection, '--client-id', clientId, '--client-secret', `${clientSecret}x`],
      ['client', 'list', ...connection],
      ['audit', 'list', ...connection],
      ['token', 'revoke', server.unknownToken(), ...connection],
      ['config'],
    ].map((args) => qscope(emptyFolder(), args, env)),
  )
  needles.add('a token of the command line', JSON.parse(minted?.stdout ?? '').token.accessToken)
  return [minted?.stderr, ...others.flatMap(({ stdout, stderr }) => [stdout, stderr])].join('\n')
}

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`secrets on ${kind.name}`, () => {
    const needles = new Needles()
    const material = drawKeyMaterial()
    const keyring = new Keyring(material)
    let database: FreshDatabase
    let server: TestServer
    let refusals: readonly string[] = []
    let commandLine = ''

    beforeAll(async () => {
      database = await kind.createMigrated()
      const variables = { ...LIMITS_OFF, QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file }
      server = await startServer(database.url, keyring, undefined, variables)
      for (const purpose of KEY_PURPOSES) {
        for (const key of material[purpose].keys.values()) needles.addBytes(`a key of the keyring, ${purpose}`, key)
      }
      refusals = await useEveryGrant(server, issuers.ci, needles)
      commandLine = await useCommandLine(server, needles)
      const { client } = await server.registerClient({ config: JWT })
      const { token } = await server.call(TokenService.method.mintToken, { client })
      const signingKey = await jwtsOn(server).keyOf(token?.accessToken ?? '')
      if (signingKey.privateKey === null) throw new Error('the key signs no more')
      const opened = openPrivateKey(keyring, signingKey, signingKey.privateKey)
      needles.addBytes('a signing key', Buffer.from(String(opened.export({ format: 'jwk' }).d), 'base64url'))
      await server.flush()
    }, TIMEOUT)
    afterAll(async () => {
      await server.stop()
      await database.drop()
    })

    it('are numerous, and the search finds them', () => {
      expect(needles.size).toBeGreaterThan(80)
      const secret = server.admin.clientSecret
      const forms = [secret, Buffer.from(`admin:${secret}`).toString('base64'), Buffer.from(secret).toString('hex')]
      for (const form of forms) expect(needles.foundIn(`before ${form} after`).length).toBeGreaterThan(0)
    })

    it('are not in the log at its most verbose level', () => {
      expect(server.lines.length).toBeGreaterThan(200)
      expect(needles.foundIn(server.lines.map((line) => JSON.stringify(line)).join('\n'))).toEqual([])
    })

    it('are not in errors to callers', () => {
      expect(refusals.length).toBeGreaterThan(40)
      expect(needles.foundIn(refusals.join('\n'))).toEqual([])
    })

    it('are not in any column of any table', async () => {
      expect(needles.foundIn(await dump(database))).toEqual([])
    })

    if (kind.dialect === 'sqlite') {
      it('are not in the bytes of the database files', () => {
        const folder = dirname(new URL(database.url).pathname)
        const names = readdirSync(folder).filter((name) => name.startsWith('qscope.db'))
        expect(names).toContain('qscope.db-wal')
        for (const name of names)
          expect(needles.foundIn(readFileSync(join(folder, name)).toString('latin1'))).toEqual([])
      })
    }

    it('are not in the exported audit log', async () => {
      const output = new PassThrough()
      const written = text(output)
      const events = await exportAuditLog(server.app, console, null, output)
      output.end()
      expect(events).toBeGreaterThan(40)
      expect(needles.foundIn(await written)).toEqual([])
    })

    it('are not in logs or lists of the command line', () => {
      expect(commandLine.length).toBeGreaterThan(1_000)
      expect(needles.foundIn(commandLine)).toEqual([])
    })
  })
}

describe('the first start', () => {
  it('prints the admin’s secret on one line of standard output, ready for use, and nowhere else', {
    timeout: TIMEOUT,
  }, async () => {
    const served = await serve({ QSCOPE_LOG_LEVEL: 'debug' })
    const connection = connect(served.address, { ownSocket: true })
    try {
      const needles = new Needles()
      const value = needles.add('the admin’s secret', served.secret)
      const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value } }
      const { token } = await connection.call(TokenService.method.mintToken, { client })
      needles.add('a token', token?.accessToken ?? '')
      const lines = served.output().split('\n')
      // The secret is printed once by itself; other lines contain it only in example calls.
      const shown = lines.filter((line) => line.includes(value) && !line.includes(JSON.stringify(client.clientId)))
      expect(shown).toEqual([`  client secret  ${value}`])
      expect(needles.foundIn(lines.filter((line) => !line.includes(value)).join('\n'))).toEqual([])
      connection.close()
      await served.stop()
      expect(served.log()).toContain('MintToken')
      expect(needles.foundIn(served.log())).toEqual([])
    } finally {
      connection.close()
      await served.stop()
    }
  })
})

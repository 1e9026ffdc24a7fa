import { X509Certificate } from 'node:crypto'
import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { credentials } from '@grpc/grpc-js'
import { afterAll, describe, expect, it } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import {
  certificateAuthority,
  channelOf,
  type Identity,
  LOCAL_NAMES,
  selfSigned,
  suiteFolder,
} from '../../setup/certificates.ts'
import { connect, refusalOf } from '../../setup/client.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer } from '../../setup/server.ts'
import { certificateShownAt, resumesSessions } from '../../setup/tls-socket.ts'

const { mintToken } = TokenService.method
const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const first = ca.issue('first', LOCAL_NAMES)
const second = ca.issue('second', LOCAL_NAMES)
const caller = ca.issue('caller', ['DNS:caller.internal'])
const alone = selfSigned(folder, 'alone')
const files = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key'), ca: join(folder, 'live-ca.pem') }

/** Replaces the certificate files as tools do: each file atomically, one after the other. */
function put({ certFile, keyFile }: Pick<Identity, 'certFile' | 'keyFile'>): void {
  for (const [from, to] of [[certFile, files.cert] as const, [keyFile, files.key] as const]) {
    copyFileSync(from, `${to}.new`)
    renameSync(`${to}.new`, to)
  }
}

async function serve(more: Record<string, string>, channel = channelOf(ca)) {
  put(first)
  copyFileSync(ca.certFile, files.ca)
  const database = await sqliteFiles.createMigrated()
  const variables = {
    QSCOPE_TLS_CERT_FILE: files.cert,
    QSCOPE_TLS_KEY_FILE: files.key,
    QSCOPE_TLS_RELOAD_INTERVAL: '100ms',
    ...more,
  }
  const server = await startServer(database.url, undefined, undefined, variables, channel)
  const messages = () => server.lines.map(({ msg }) => String(msg))
  return {
    ...server,
    said: async (pattern: RegExp, times = 1) => {
      for (let waited = 0; waited < 5_000; waited += 20) {
        if (messages().filter((message) => pattern.test(message)).length >= times) return
        await sleep(20)
      }
      throw new Error(`the log never said ${pattern} ${times} times`)
    },
    shown: () => certificateShownAt(server.address, { ca: ca.cert }),
    stop: async () => {
      await server.stop()
      await database.drop()
    },
  }
}

const fingerprint = ({ cert }: Identity) => new X509Certificate(cert).fingerprint256

describe('a server with TLS', async () => {
  const server = await serve({})
  afterAll(() => server.stop())
  const mint = (channel = channelOf(ca)) => {
    const connection = connect(server.address, { ownSocket: true, channel })
    return connection.call(mintToken, { client: server.admin.client, scopes: [] }).finally(connection.close)
  }

  it('answers only callers that trust its certificate', async () => {
    expect((await mint()).token?.accessToken).toMatch(/^qat_/)
    expect((await refusalOf(mint(channelOf(alone)))).status).toBe('UNAVAILABLE')
  })

  it('answers no plaintext', async () => {
    expect((await refusalOf(mint(credentials.createInsecure()))).status).toBe('UNAVAILABLE')
  })

  it('supports TLS 1.2 and 1.3, and nothing older', async () => {
    const only = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      certificateShownAt(server.address, {
        ca: ca.cert,
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      })
    expect(await only('TLSv1.2')).toBe(fingerprint(first))
    expect(await only('TLSv1.3')).toBe(fingerprint(first))
    await expect(only('TLSv1.1')).rejects.toThrow(/version/i)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes no session over %s', async (version) => {
    const only = { ca: ca.cert, minVersion: version, maxVersion: version }
    expect(await resumesSessions(server.address, only)).toBe(false)
  })

  it('does not request a client certificate, and ignores one', async () => {
    expect((await mint(channelOf(ca, caller))).token).toBeDefined()
  })
})

describe('new certificate files', async () => {
  const server = await serve({ QSCOPE_TLS_CLIENT_CA_FILE: files.ca })
  afterAll(() => server.stop())

  it('are used for new connections under load, while open ones continue and no call fails', async () => {
    const steady = connect(server.address, { ownSocket: true, channel: channelOf(ca) })
    let running = true
    let calls = 0
    const callers = Array.from({ length: 8 }, async (_, n) => {
      while (running) {
        const connection = n % 2 === 0 ? steady : connect(server.address, { ownSocket: true, channel: channelOf(ca) })
        await connection.call(mintToken, { client: server.admin.client })
        if (connection !== steady) connection.close()
        calls += 1
      }
    })
    for (const [times, next] of [second, first, second].entries()) {
      const before = calls
      put(next)
      await server.said(/TLS certificate replaced/, times + 1)
      expect(await server.shown()).toBe(fingerprint(next))
      while (calls < before + 40) await sleep(5)
    }
    running = false
    await Promise.all(callers)
    steady.close()
  })

  it('that do not match, are invalid or missing keep the old ones in use, and are logged once each', async () => {
    put(second)
    await server.said(/TLS certificate replaced/)
    const broken: readonly (() => void)[] = [
      () => put({ certFile: first.certFile, keyFile: second.keyFile }),
      () => writeFileSync(files.cert, 'nonsense'),
      () => rmSync(files.cert),
    ]
    for (const [times, destroy] of broken.entries()) {
      destroy()
      await server.said(/TLS files cannot be used/, times + 1)
      await sleep(300)
      expect(await server.shown()).toBe(fingerprint(second))
    }
    expect(server.lines.filter(({ msg }) => /TLS files cannot be used/.test(String(msg)))).toHaveLength(broken.length)
    put(first)
    await server.said(/TLS certificate replaced/, 4)
    expect(await server.shown()).toBe(fingerprint(first))
  })
})

describe('QSCOPE_TLS_CLIENT_AUTH=require', async () => {
  const server = await serve(
    { QSCOPE_TLS_CLIENT_CA_FILE: files.ca, QSCOPE_TLS_CLIENT_AUTH: 'require' },
    channelOf(ca, caller),
  )
  afterAll(() => server.stop())

  it('refuses connections without a certificate of the CA', async () => {
    const mint = (identity: Identity | null) => {
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(ca, identity) })
      return connection.call(mintToken, { client: server.admin.client }).finally(connection.close)
    }
    expect((await mint(caller)).token).toBeDefined()
    for (const identity of [null, alone]) expect((await refusalOf(mint(identity))).status).toBe('UNAVAILABLE')
  })
})

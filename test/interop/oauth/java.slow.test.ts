import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { suiteFolder } from '../../setup/certificates.ts'
import { trustedIssuers } from '../../setup/trusted-issuers.ts'
import { BUILD_MS, hasToolchain, run } from '../toolchain.ts'
import { BILLING, type OAuthServer, startOAuthServer, WAREHOUSE } from './oauth-server.ts'
import { settingsFor } from './programs.ts'

const hasJava = hasToolchain({
  name: 'java',
  suite: 'OAuth libraries in Java',
  programs: ['javac', 'java', 'mvn'],
  version: ['-version'],
  atLeast: [17, 0],
})
const SOURCE = join(import.meta.dirname, 'java')
const CLASSES = [join(SOURCE, 'target', 'classes'), join(SOURCE, 'target', 'lib', '*')].join(delimiter)

describe.skipIf(!hasJava)('the OAuth SDK of Nimbus', () => {
  const folder = suiteFolder()
  let running: OAuthServer
  let got: Record<string, Record<string, unknown>>
  beforeAll(async () => {
    const build = run('mvn', ['--quiet', '--batch-mode', '--no-transfer-progress', 'prepare-package'], { cwd: SOURCE })
    running = await startOAuthServer(folder, await trustedIssuers(folder))
    await build
    const settings = await settingsFor(running, folder, 'java')
    got = JSON.parse(await run('java', ['-cp', CLASSES, 'internal.qscope.oauth.Main', settings]))
  }, BUILD_MS)
  afterAll(() => running.stop())

  const claimsOf = (name: string) => running.grants.claimsOf(String(got[name]?.['access_token']))

  it('discovers the server from its issuer, and mints for a resource', async () => {
    expect(got['basic']).toMatchObject({ token_type: 'Bearer', scope: 'orders.read' })
    expect(await claimsOf('basic')).toMatchObject({ clientId: 'orders', audiences: [WAREHOUSE] })
  })

  it('mints with the secret in the form, and with a key', async () => {
    expect(await claimsOf('post')).toMatchObject({ clientId: 'orders' })
    expect(await claimsOf('key')).toMatchObject({ clientId: 'robot' })
  })

  it('redeems a code with PKCE, and refreshes', () => {
    expect(got['code']).toMatchObject({ scope: 'orders.read orders.write' })
    expect(got['refresh']?.['refresh_token']).not.toBe(got['code']?.['refresh_token'])
  })

  it('exchanges a token, introspects and revokes it', () => {
    expect(got['exchange']).toMatchObject({ issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' })
    expect(got['introspection']).toMatchObject({ active: true, aud: BILLING, act: { sub: 'warehouse' } })
    expect([got['revocation'], got['revoked']]).toEqual([200, { active: false }])
  })

  it('receives the error code of a refusal', () => {
    expect(got['wrong']).toBe('invalid_client')
  })
})

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { suiteFolder } from '../../setup/certificates.ts'
import { trustedIssuers } from '../../setup/trusted-issuers.ts'
import { BUILD_MS, cacheFolder, hasToolchain, run } from '../toolchain.ts'
import { BILLING, type OAuthServer, startOAuthServer, WAREHOUSE } from './oauth-server.ts'
import { settingsFor } from './programs.ts'

const hasGo = hasToolchain({
  name: 'go',
  suite: 'OAuth libraries in Go',
  programs: ['go'],
  version: ['version'],
  atLeast: [1, 25],
})
const SOURCE = join(import.meta.dirname, 'go')
const PROGRAM = join(cacheFolder('oauth-go'), 'oauth-interop')
const MINTED = Object.freeze({ type: 'Bearer', scope: 'orders.read', expires: true })

describe.skipIf(!hasGo)('golang.org/x/oauth2 and the STS credentials of gRPC', () => {
  const folder = suiteFolder()
  let running: OAuthServer
  let got: Record<string, Record<string, string>>
  beforeAll(async () => {
    const build = run('go', ['build', '-o', PROGRAM, '.'], { cwd: SOURCE })
    running = await startOAuthServer(folder, await trustedIssuers(folder))
    await build
    const settings = await settingsFor(running, folder, 'go')
    // The STS credentials trust the CAs of the machine.
    got = JSON.parse(await run('env', [`SSL_CERT_FILE=${running.ca.certFile}`, PROGRAM, settings]))
  }, BUILD_MS)
  afterAll(() => running.stop())

  it.each(['basic', 'post'])('mint with the secret, sent as %s', async (how) => {
    expect(got[how]).toMatchObject(MINTED)
    const claims = await running.grants.claimsOf(got[how]?.['access_token'] ?? '')
    expect(claims).toMatchObject({ clientId: 'orders', audiences: [WAREHOUSE] })
  })

  it('mint a token bound to their certificate', async () => {
    const claims = await running.grants.claimsOf(got['certificate']?.['access_token'] ?? '')
    expect(claims?.confirmation?.x5tS256).toBe(running.courierIdentity.thumbprint)
  })

  it('redeem a code with PKCE, and refresh', async () => {
    expect(got['code']).toMatchObject({ type: 'Bearer', scope: 'orders.read orders.write' })
    expect(got['refresh']?.['refresh_token']).toMatch(/^qrt_/)
    expect(got['refresh']?.['refresh_token']).not.toBe(got['code']?.['refresh_token'])
  })

  it('exchange a token, in the JSON of gRPC’s STS credentials', async () => {
    const claims = await running.grants.claimsOf(String(got['sts']))
    expect(claims).toMatchObject({ clientId: 'warehouse', audiences: [BILLING], subject: 'orders' })
    expect(claims?.actor?.subject).toBe('warehouse')
  })

  it('receive the error code and the status of a refusal', () => {
    expect(got['wrong']).toEqual({ error: 'invalid_client', status: 401 })
  })
})

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { suiteFolder } from '../../setup/certificates.ts'
import { trustedIssuers } from '../../setup/trusted-issuers.ts'
import { BUILD_MS, cacheFolder, hasToolchain, run } from '../toolchain.ts'
import { BILLING, type OAuthServer, startOAuthServer, WAREHOUSE } from './oauth-server.ts'
import { settingsFor } from './programs.ts'

const hasPython = hasToolchain({
  name: 'python',
  suite: 'OAuth libraries in Python',
  programs: ['python3'],
  version: ['--version'],
  atLeast: [3, 11],
})
const SOURCE = join(import.meta.dirname, 'python')
const ENVIRONMENT = join(cacheFolder('oauth-python'), 'environment')
const PYTHON = join(ENVIRONMENT, 'bin', 'python')

/** Installs the pinned versions, once for each set of them. */
async function makeEnvironment(): Promise<void> {
  const pinned = join(SOURCE, 'requirements.txt')
  const installed = join(ENVIRONMENT, 'installed.txt')
  const wanted = readFileSync(pinned, 'utf8')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return
  await run('python3', ['-m', 'venv', '--clear', ENVIRONMENT])
  await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--require-hashes', '--requirement', pinned])
  writeFileSync(installed, wanted)
}

type Tokens = Record<string, Record<string, unknown>>

describe.skipIf(!hasPython)('Authlib and requests-oauthlib', () => {
  const folder = suiteFolder()
  let running: OAuthServer
  let got: { readonly authlib: Tokens; readonly requests_oauthlib: Tokens }
  beforeAll(async () => {
    await makeEnvironment()
    running = await startOAuthServer(folder, await trustedIssuers(folder))
    const settings = await settingsFor(running, folder, 'python')
    got = JSON.parse(await run(PYTHON, [join(SOURCE, 'main.py'), settings]))
  }, BUILD_MS)
  afterAll(() => running.stop())

  const claimsOf = (tokens: Record<string, unknown> | undefined) =>
    running.grants.claimsOf(String(tokens?.['access_token']))

  it.each(['client_secret_basic', 'client_secret_post'])('Authlib mints with %s', async (method) => {
    expect(got.authlib[method]).toMatchObject({ token_type: 'Bearer', scope: 'orders.read' })
    expect(await claimsOf(got.authlib[method])).toMatchObject({ clientId: 'orders', audiences: [WAREHOUSE] })
  })

  it('Authlib mints with a key', async () => {
    expect(await claimsOf(got.authlib['private_key_jwt'])).toMatchObject({ clientId: 'robot' })
  })

  it('Authlib mints a token bound to its certificate', async () => {
    const claims = await claimsOf(got.authlib['tls_client_auth'])
    expect(claims?.confirmation?.x5tS256).toBe(running.courierIdentity.thumbprint)
  })

  it('Authlib redeems a code with PKCE, and refreshes', () => {
    expect(got.authlib['code']).toMatchObject({ scope: 'orders.read orders.write' })
    expect(got.authlib['refresh']?.['refresh_token']).not.toBe(got.authlib['code']?.['refresh_token'])
  })

  it('Authlib exchanges a token, introspects and revokes it', () => {
    expect(got.authlib['introspection']).toMatchObject({ active: true, aud: BILLING, act: { sub: 'warehouse' } })
    expect(got.authlib['revoked']).toEqual({ active: false })
  })

  it('Authlib receives the error code of a refusal', () => {
    expect(got.authlib['wrong']).toBe('invalid_client')
  })

  it.each(['basic', 'post', 'both'])('requests-oauthlib mints with the secret, sent as %s', async (how) => {
    expect(await claimsOf(got.requests_oauthlib[how])).toMatchObject({ clientId: 'orders', scopes: ['orders.read'] })
  })

  it('requests-oauthlib receives the description of a refusal', () => {
    expect(got.requests_oauthlib['refused']).toContain('orders.burn')
  })
})

import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { COMMON_DATABASES } from '../setup/database-names.ts'
import { onEveryKind } from '../setup/every-kind.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'
import { eventsOf, expectSecretsWork, folderOf, namesOf } from './apply-documents.ts'
import { emptyFolder, qscope } from './process.ts'

const MANY = 200
/** On MariaDB and libSQL, whose code is that of MySQL and SQLite. */
const SOME = 24

/** Clients with each authentication method and each field, and an issuer with rules. */
function fullDocuments() {
  const jwks = jwksOf(signingPair('ES256'))
  const client = (clientId: string, method: string, more: object) => ({
    kind: 'Client',
    spec: {
      ...{ clientId, type: 'CLIENT_TYPE_CONFIDENTIAL', authenticationMethod: `AUTHENTICATION_METHOD_${method}` },
      ...more,
    },
  })
  const config = {
    ...{ accessTokenTtl: '600s', refreshTokenTtl: '86400s', refreshTokenMaxLifetime: '172800s' },
    ...{ authorizationCodeTtl: '30s', deviceCodeTtl: '300s', devicePollInterval: '10s' },
    ...{ requirePkce: false, accessTokenFormat: 'ACCESS_TOKEN_FORMAT_JWT', refreshTokenReplayWindow: '5s' },
    ...{ maxActiveRefreshTokens: 3, maxActiveRefreshTokensPerUser: 2, maxActiveAccessTokens: 4 },
    ...{ allowImpersonation: true, allowOwnRotation: true, metadata: { team: 'shop' } },
  }
  const issuer = 'https://ci.example'
  const requiredClaims = { ref: 'refs/heads/main' }
  const rules = [
    { claims: { sub: 'repo:shop:*' }, clientId: 'orders', scopes: ['read'], tokenClaims: { team: 'claims.team' } },
    {
      ...{ condition: 'claims.team == "shop"', clientId: 'billing', scopes: ['read'] },
      scopesExpression: 'claims.scopes',
    },
  ]
  const trusted = { issuer, displayName: 'CI', audience: 'qscope', singleUse: true, maxLifetime: '600s' }
  return [
    client('web', 'CLIENT_SECRET', {
      displayName: 'Web shop',
      grantTypes: ['GRANT_TYPE_AUTHORIZATION_CODE', 'GRANT_TYPE_REFRESH_TOKEN'],
      redirectUris: ['https://web.example/callback', 'http://127.0.0.1/callback'],
      ...{ scopes: ['read', 'write'], audiences: ['stock'], resourceAudiences: ['web-api'], config, enabled: false },
    }),
    client('keys', 'PRIVATE_KEY_JWT', { jwks }),
    client('remote-keys', 'PRIVATE_KEY_JWT', { jwksUri: 'https://keys.example/jwks.json' }),
    client('certificate', 'TLS_CLIENT', { tlsClientSubject: 'uri:spiffe://shop/certificate' }),
    client('pipeline', 'FEDERATED_JWT', { federatedIdentities: [{ issuer, subject: 'repo:shop', requiredClaims }] }),
    client('device', 'NONE', { type: 'CLIENT_TYPE_PUBLIC', grantTypes: ['GRANT_TYPE_DEVICE_CODE'] }),
    { kind: 'TrustedIssuer', spec: { ...trusted, jwks, rules } },
  ]
}

onEveryBackend('apply through a server', (server, database) => {
  const run = (...args: string[]) => {
    const to = ['--server', server.address, '--plaintext']
    return qscope(emptyFolder(), [...args, ...to], { QSCOPE_TOKEN: server.admin.token })
  }
  const apply = (folder: string, ...more: string[]) =>
    run('apply', '-f', folder, '--secrets-dir', join(folder, 'secrets'), ...more)

  it('registers many clients of a directory, and changes nothing the second time', async () => {
    const count = COMMON_DATABASES.includes(database.kind.name) ? MANY : SOME
    const names = namesOf(server.unique('many-'), count)
    const folder = folderOf(names)
    const first = await apply(folder, '--json')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(first.stdout).changes).toHaveLength(count)
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700)
    await expectSecretsWork(server, join(folder, 'secrets'), names)
    const events = await eventsOf(database)
    const second = await apply(folder)
    expect(second).toEqual({ code: 0, stdout: `${count} unchanged\n`, stderr: '' })
    expect(await eventsOf(database)).toBe(events)
    expect((await run('diff', '-f', folder)).code).toBe(0)
  })
})

onEveryKind('apply on the database itself: $name', (kind) => {
  it('registers, changes and exports objects, and applies them elsewhere without differences', async () => {
    const [one, other] = [await kind.createMigrated(), await kind.createMigrated()]
    const folder = folderOf(['orders', 'billing'])
    writeFileSync(
      join(folder, 'users.yaml'),
      'kind: User\nspec: {externalId: "u-1"}\n---\nkind: User\nspec: {externalId: u-2, active: false}\n',
    )
    const full = fullDocuments()
    writeFileSync(join(folder, 'full.json'), JSON.stringify(full))
    const all = `${full.length + 4} unchanged\n`
    const on = (database: FreshDatabase) => {
      const env = {
        QSCOPE_DATABASE_URL: database.url,
        QSCOPE_KEYRING_FILE: join(folder, `keyring-${database === one}`),
      }
      return (args: readonly string[], stdin = '') => qscope(emptyFolder(), args, env, stdin)
    }
    try {
      const [here, there] = [on(one), on(other)]
      expect(await here(['apply', '-f', folder])).toMatchObject({ code: 0, stderr: '' })
      expect((await here(['apply', '-f', folder])).stdout).toBe(all)
      expect((await there(['diff', '-f', folder])).code).toBe(1)
      const exported = (await here(['export'])).stdout
      const documents = parseAllDocuments(exported).map((document) => document.toJS())
      // The comparisons below are blind to a field that neither an export nor a plan knows.
      const wanted = full.map(({ kind, spec }) => ({ kind, spec: expect.objectContaining(spec) }))
      expect(documents).toEqual(expect.arrayContaining(wanted))
      expect((await there(['apply', '-f', '-'], exported)).code).toBe(0)
      expect(await there(['diff', '-f', '-'], exported)).toMatchObject({ code: 0, stdout: all })
      expect((await there(['export'])).stdout).toBe(exported)
    } finally {
      await one.drop()
      await other.drop()
    }
  })
})

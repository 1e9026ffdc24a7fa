import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { emptyFolder, folderWithDatabase, qscope } from './process.ts'

const TIMEOUT = 600_000

/** The output of `hydra list oauth2-clients --format json`; the hash is from the database of Hydra. */
const HYDRA = {
  items: [
    {
      client_id: 'orders',
      client_name: 'Orders',
      // "hydra-old-secret-1", hashed by libxcrypt.
      client_secret: '$2b$10$abcdefghijklmnopqrstuuQ.BATMQVqU1dBOlzcnzdIpId2LdmP5S',
      redirect_uris: null,
      grant_types: ['client_credentials', 'implicit'],
      response_types: ['token'],
      scope: 'orders.read offline_access',
      audience: ['billing'],
      owner: 'team-a',
      subject_type: 'public',
      token_endpoint_auth_method: 'client_secret_basic',
      access_token_strategy: 'opaque',
      client_credentials_grant_access_token_lifespan: '1h30m0s',
      metadata: { tier: 1 },
      skip_consent: false,
      created_at: '2024-01-01T00:00:00Z',
    },
    {
      client_id: '9d8e2a3c-54f1-4b1c-9a2e-0c1d2e3f4a5b',
      client_name: '',
      redirect_uris: ['https://app.example/cb', 'https://app.example/cb#fragment'],
      grant_types: ['authorization_code', 'refresh_token'],
      scope: 'openid',
      token_endpoint_auth_method: 'none',
    },
    { client_id: 'fetched', token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://a.example/jwks' },
  ],
  next_page_token: '',
  is_last_page: true,
}

/** The output of `kc.sh export`. */
const KEYCLOAK = {
  realm: 'shop',
  accessTokenLifespan: 300,
  clients: [
    { clientId: 'admin-cli', publicClient: true, protocol: 'openid-connect' },
    { clientId: 'legacy', protocol: 'saml' },
    {
      clientId: 'billing',
      name: 'Billing',
      enabled: true,
      clientAuthenticatorType: 'client-secret',
      secret: 'keycloak-plain-secret',
      redirectUris: ['https://billing.example/cb', '/*'],
      bearerOnly: false,
      publicClient: false,
      standardFlowEnabled: false,
      directAccessGrantsEnabled: true,
      serviceAccountsEnabled: true,
      protocol: 'openid-connect',
      attributes: { 'access.token.lifespan': '600', 'oauth2.device.authorization.grant.enabled': 'true' },
      defaultClientScopes: ['web-origins', 'acr', 'invoices'],
      optionalClientScopes: ['offline_access'],
    },
    { clientId: 'masked', enabled: false, secret: '**********', serviceAccountsEnabled: true },
  ],
  users: [
    { id: '5a1f0c1e-0000-4000-8000-000000000001', username: 'ada', enabled: true },
    { id: '5a1f0c1e-0000-4000-8000-000000000002', username: 'bob', enabled: false },
    { id: '5a1f0c1e-0000-4000-8000-000000000003', serviceAccountClientId: 'billing' },
  ],
}

async function importFrom(source: string, exported: object) {
  const folder = emptyFolder()
  writeFileSync(join(folder, 'export.json'), JSON.stringify(exported))
  const outcome = await qscope(folder, ['import', source, 'export.json', '-o', 'json'])
  return { ...outcome, documents: outcome.stdout === '' ? [] : JSON.parse(outcome.stdout) }
}

describe('qscope import', () => {
  it("writes documents of Hydra's clients, and reports what is not imported", async () => {
    const { code, documents, stderr } = await importFrom('hydra', HYDRA)
    expect(documents).toMatchObject([
      {
        kind: 'Client',
        spec: {
          clientId: 'orders',
          displayName: 'Orders',
          type: 'CLIENT_TYPE_CONFIDENTIAL',
          authenticationMethod: 'AUTHENTICATION_METHOD_CLIENT_SECRET',
          grantTypes: ['GRANT_TYPE_CLIENT_CREDENTIALS'],
          scopes: ['orders.read', 'offline_access'],
          audiences: ['billing'],
          config: { accessTokenTtl: '5400s', metadata: { owner: 'team-a', tier: '1' } },
          importedSecretHashes: [HYDRA.items[0]?.client_secret],
        },
      },
      {
        spec: {
          clientId: 'client-9d8e2a3c-54f1-4b1c-9a2e-0c1d2e3f4a5b',
          type: 'CLIENT_TYPE_PUBLIC',
          grantTypes: ['GRANT_TYPE_AUTHORIZATION_CODE', 'GRANT_TYPE_REFRESH_TOKEN'],
          redirectUris: ['https://app.example/cb'],
        },
      },
    ])
    expect(stderr).toContain('note: orders: grant implicit is left out')
    expect(stderr).toMatch(/note: 9d8e2a3c-[-\w]+: its id looks like a UUID/)
    expect(stderr).toMatch(/note: 9d8e2a3c-[-\w]+: redirect URI https:\/\/app\.example\/cb#fragment is left out/)
    expect(stderr).toContain('left out: fetched: its keys are at jwks_uri')
    expect(code).toBe(1)
  })

  it('writes documents of a realm of Keycloak, with a hash of each secret', async () => {
    const { code, documents, stdout, stderr } = await importFrom('keycloak', KEYCLOAK)
    expect(stdout).not.toContain('keycloak-plain-secret')
    expect(documents).toMatchObject([
      {
        kind: 'Client',
        spec: {
          clientId: 'billing',
          grantTypes: ['GRANT_TYPE_DEVICE_CODE', 'GRANT_TYPE_REFRESH_TOKEN', 'GRANT_TYPE_CLIENT_CREDENTIALS'],
          redirectUris: ['https://billing.example/cb'],
          scopes: ['invoices', 'offline_access'],
          config: { accessTokenTtl: '600s', accessTokenFormat: 'ACCESS_TOKEN_FORMAT_JWT' },
          importedSecretHashes: [expect.stringMatching(/^\$pbkdf2-sha256\$i=600000,l=32\$/)],
        },
      },
      { kind: 'Client', spec: { clientId: 'masked', enabled: false, config: { accessTokenTtl: '300s' } } },
      { kind: 'User', spec: { externalId: KEYCLOAK.users[0]?.id } },
      { kind: 'User', spec: { externalId: KEYCLOAK.users[1]?.id, active: false } },
    ])
    expect(documents).toHaveLength(4)
    expect(stderr).toContain('left out: legacy: its protocol is saml')
    expect(stderr).toContain('note: masked: its secret is not in the export')
    expect(code).toBe(1)
  })

  it.each([
    ['hydra', { items: HYDRA.items.slice(0, 1) }, 'orders', 'hydra-old-secret-1'],
    ['keycloak', { ...KEYCLOAK, clients: KEYCLOAK.clients.slice(2, 3) }, 'billing', 'keycloak-plain-secret'],
  ] as const)(
    'lets clients of %s keep their secrets',
    async (source, exported, clientId, secret) => {
      const folder = await folderWithDatabase()
      const { code, stdout } = await importFrom(source, exported)
      expect(code).toBe(0)
      expect(await qscope(folder, ['apply', '-f', '-'], {}, stdout)).toMatchObject({ code: 0, stderr: '' })
      const minted = await qscope(
        folder,
        ['token', 'mint', '--client-id', clientId, '--client-secret', '-'],
        {},
        secret,
      )
      expect(minted).toMatchObject({ code: 0, stderr: '' })
      expect((await qscope(folder, ['diff', '-f', '-'], {}, stdout)).code).toBe(0)
    },
    TIMEOUT,
  )

  it('reports the type of a file that is not an export', async () => {
    expect(await importFrom('hydra', { clients: [] })).toMatchObject({
      code: 1,
      stderr: 'qscope: the file is not a list of OAuth 2.0 clients of Hydra, each with a client_id\n',
    })
    expect((await importFrom('keycloak', [])).code).toBe(1)
    expect((await qscope(emptyFolder(), ['import', 'hydra', 'nowhere.json'])).code).toBe(2)
  })
})

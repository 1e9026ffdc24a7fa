import { describe, expect, test } from 'vitest'
import { importHydra } from '../../src/cli/import/hydra.ts'
import { importKeycloak } from '../../src/cli/import/keycloak.ts'
import { importedHashMatches } from '../../src/crypto/imported-hash.ts'

test.each(['$ecret', '$2b$10$abcdefghijklmnopqrstuuQ.BATMQVqU1dBOlzcnzdIpId2LdmP5S'])(
  'the secret %s of Keycloak is plaintext, although it begins as hashes do',
  async (secret) => {
    const client = { clientId: 'orders', serviceAccountsEnabled: true, secret }
    const { documents, notes } = await importKeycloak({ realm: 'shop', clients: [client] })
    const [hashes] = documents.map(({ spec }) => spec['importedSecretHashes'])
    const [hash] = Array.isArray(hashes) ? hashes : []
    expect(notes).toEqual([])
    expect(await importedHashMatches(secret, String(hash))).toBe(true)
  },
)

/** Names that every JavaScript object inherits. */
const OF_EVERY_OBJECT = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']

describe.each(OF_EVERY_OBJECT)('the name %s in an export', (name) => {
  test('is no grant of Hydra', async () => {
    const { documents, notes } = await importHydra([
      { client_id: 'orders', grant_types: [name, 'client_credentials'], scope: 'stock.read' },
    ])
    expect(documents.map(({ spec }) => spec['grantTypes'])).toEqual([['GRANT_TYPE_CLIENT_CREDENTIALS']])
    expect(notes).toContain(`orders: grant ${name} is left out: QScope has none`)
  })

  test('is no authentication method of Hydra', async () => {
    const { documents, leftOut } = await importHydra([{ client_id: 'orders', token_endpoint_auth_method: name }])
    expect(documents).toEqual([])
    expect(leftOut).toEqual([`orders: it authenticates by ${name}, which QScope does not support`])
  })

  test('is no authentication method of Keycloak', async () => {
    const client = { clientId: 'orders', clientAuthenticatorType: name, serviceAccountsEnabled: true }
    const { documents, leftOut } = await importKeycloak({ realm: 'shop', clients: [client] })
    expect(documents).toEqual([])
    expect(leftOut).toEqual([`orders: it authenticates by ${name}, which is configured differently in QScope`])
  })

  test('is kept as the id of a client', async () => {
    const hydra = await importHydra([{ client_id: name, grant_types: ['client_credentials'] }])
    const keycloak = await importKeycloak({
      realm: 'shop',
      clients: [{ clientId: name, serviceAccountsEnabled: true }],
    })
    for (const { documents } of [hydra, keycloak]) expect(documents.map(({ spec }) => spec['clientId'])).toEqual([name])
  })

  test('is kept as a key of metadata', async () => {
    const exported: unknown = JSON.parse(`[{"client_id": "orders", "metadata": {"${name}": "gold"}}]`)
    const { documents } = await importHydra(exported)
    const [config] = documents.map(({ spec }) => JSON.parse(JSON.stringify(spec['config'])))
    expect(Object.entries(config.metadata)).toEqual([[name, 'gold']])
  })
})

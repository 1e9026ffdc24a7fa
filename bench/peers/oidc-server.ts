/** oidc-provider as a peer: client credentials and introspection over HTTP/1.1. `node oidc-server.ts [file]` */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OIDC_CLIENT } from './oidc-client.ts'
import { oidcSqliteAdapter } from './oidc-sqlite-adapter.ts'

const TOKEN_SECONDS = 3_600
const ISSUER = 'http://127.0.0.1'

async function start(file: string | undefined): Promise<void> {
  const { Provider } = await import('oidc-provider')
  const provider = new Provider(ISSUER, {
    clients: [
      {
        client_id: OIDC_CLIENT.id,
        client_secret: OIDC_CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      devInteractions: { enabled: false },
    },
    ttl: { ClientCredentials: TOKEN_SECONDS },
    ...(file !== undefined && { adapter: oidcSqliteAdapter(file) }),
  })
  const server = createServer(provider.callback())
  server.listen(0, '127.0.0.1', () => {
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo
    process.send?.({ port })
  })
}

process.on('disconnect', () => process.exit())
try {
  await start(process.argv[2])
} catch (error) {
  const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
  if (!missing) throw error
  process.send?.({ unavailable: 'oidc-provider is not installed' })
}

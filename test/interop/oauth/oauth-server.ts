import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../../src/gen/qscope/v1/client_pb.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../../setup/assertions.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES } from '../../setup/certificates.ts'
import { freePort } from '../../setup/free-port.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { grantsOn } from '../../setup/grants.ts'
import { startServer } from '../../setup/server.ts'
import { AUDIENCE, CLUSTER, type trustedIssuers } from '../../setup/trusted-issuers.ts'

export const WAREHOUSE = 'https://warehouse.internal'
export const BILLING = 'https://billing.internal'

export type OAuthServer = Awaited<ReturnType<typeof startOAuthServer>>

/**
 * A server with TLS whose issuer is the URL of its HTTP port, with a client for each
 * grant and each authentication method, for OAuth libraries that use discovery.
 */
export async function startOAuthServer(folder: string, issuers: Awaited<ReturnType<typeof trustedIssuers>>) {
  const ca = certificateAuthority(folder, 'ca')
  const serving = ca.issue('server', LOCAL_NAMES)
  const courierIdentity = ca.issue('courier', ['URI:spiffe://shop/courier'])
  const database = await sqliteFiles.createMigrated()
  const port = await freePort()
  const issuer = `https://localhost:${port}`
  const variables = {
    QSCOPE_ISSUER: issuer,
    QSCOPE_HTTP_LISTEN: `127.0.0.1:${port}`,
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
    QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file,
  }
  const server = await startServer(database.url, undefined, undefined, variables, channelOf(ca))
  const grants = grantsOn(server)
  const robotKey = signingPair('ES256')
  const scopes = ['orders.read', 'orders.write']
  const clients = {
    /** Authenticates by a secret; assertions of the cluster are exchanged for its tokens, too. */
    orders: await server.registerClient({
      clientId: 'orders',
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER],
      scopes,
      audiences: [WAREHOUSE],
    }),
    warehouse: await server.registerClient({
      clientId: 'warehouse',
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE],
      scopes: ['orders.read'],
      audiences: [BILLING],
      resourceAudiences: [WAREHOUSE],
    }),
    /** Gets JWTs. */
    reports: await server.registerClient({
      clientId: 'reports',
      scopes: ['orders.read'],
      audiences: [WAREHOUSE],
      config: { accessTokenFormat: AccessTokenFormat.JWT },
    }),
    /** Authenticates by a private key. */
    robot: await server.registerClient({
      clientId: 'robot',
      scopes,
      authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
      jwks: jwksOf(robotKey),
    }),
    /** Authenticates by a certificate. */
    courier: await server.registerClient({
      clientId: 'courier',
      scopes,
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: 'uri:spiffe://shop/courier',
    }),
    shop: await grants.webClient({ clientId: 'shop', config: { devicePollInterval: { seconds: 1n } } }),
    television: await grants.deviceClient({
      clientId: 'television',
      config: { devicePollInterval: { seconds: 1n } },
    }),
  }
  return {
    ca,
    issuer,
    server,
    grants,
    clients,
    robotKey,
    courierIdentity,
    /** An assertion of the cluster that is exchanged for a token of `orders`. */
    assertion: () =>
      signed(issuers.cluster, {
        iss: CLUSTER,
        sub: 'system:serviceaccount:shop:orders',
        aud: AUDIENCE,
        exp: inSeconds(3_600),
      }),
    async stop() {
      await server.stop()
      await database.drop()
    },
  }
}

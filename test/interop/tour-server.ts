import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { inSeconds, signed } from '../setup/assertions.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES } from '../setup/certificates.ts'
import { jwtPlatform, workload } from '../setup/federated.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn, REDIRECT_URI } from '../setup/grants.ts'
import { seedVerifierCases } from '../setup/seed-verifier-cases.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { AUDIENCE, CLUSTER, type trustedIssuers } from '../setup/trusted-issuers.ts'
import { startLosingProxy } from './losing-proxy.ts'

export const ISSUER = 'https://qscope.internal'
export const WAREHOUSE = 'https://warehouse.internal'
export const BILLING = 'https://billing.internal'

export type TourServer = Awaited<ReturnType<typeof startTourServer>>

/**
 * A server with TLS, all clients of a tour registered, and a proxy in front
 * of it that drops answers. `settingsFile` is the file of settings for the tour.
 */
export async function startTourServer(folder: string, issuers: Awaited<ReturnType<typeof trustedIssuers>>) {
  const ca = certificateAuthority(folder, 'ca')
  const serving = ca.issue('server', LOCAL_NAMES)
  const courier = ca.issue('courier', ['URI:spiffe://shop/courier'])
  const database = await sqliteFiles.create()
  const variables = {
    QSCOPE_ISSUER: ISSUER,
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
    QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file,
  }
  const server = await startServer(database.url, undefined, undefined, variables, channelOf(ca))
  const proxy = await startLosingProxy(server.address, channelOf(ca))
  const clients = await registerAll(server)
  const assertion = await signed(issuers.cluster, {
    iss: CLUSTER,
    sub: 'system:serviceaccount:shop:orders',
    aud: AUDIENCE,
    exp: inSeconds(3_600),
  })
  const named = await namedWorkload(server, join(folder, 'workload-token'))
  const clock = inSeconds(0)
  const verifierCases = await seedVerifierCases(server, { clock, issuer: ISSUER, audience: WAREHOUSE })
  const presented = verifierCases.map(({ expected, row, ...how }) => how)
  const verifierCasesFile = join(folder, 'verifier-cases.json')
  writeFileSync(verifierCasesFile, JSON.stringify({ issuer: ISSUER, audience: WAREHOUSE, clock, cases: presented }))
  const rayPrefix = 'tour-'
  const settings = {
    address: server.address,
    lossy_address: proxy.address,
    ca_file: ca.certFile,
    issuer: ISSUER,
    ray_prefix: rayPrefix,
    warehouse_audience: WAREHOUSE,
    billing_audience: BILLING,
    assertion,
    verifier_cases_file: verifierCasesFile,
    ...clients,
    workload: named,
    courier: { ...clients.courier, cert_file: courier.certFile, key_file: courier.keyFile },
  }
  const settingsFile = join(folder, 'settings.json')
  writeFileSync(settingsFile, JSON.stringify(settings))
  return {
    server,
    proxy,
    settingsFile,
    rayPrefix,
    verifierCases,
    courierThumbprint: courier.thumbprint,
    async stop() {
      proxy.close()
      await server.stop()
      await database.drop()
    },
  }
}

/** A federated client with single-use tokens of its platform; the first token is in the file. */
async function namedWorkload(server: TestServer, file: string) {
  const platform = await jwtPlatform(server, { singleUse: true })
  const { clientId, assertion } = await workload(server, platform)
  const told = (jti: string) => assertion({ aud: [ISSUER], jti })
  writeFileSync(file, `${await told('first')}\n`)
  return { client_id: clientId, assertion_file: file, next_assertion: await told('next') }
}

async function registerAll(server: TestServer) {
  const grants = grantsOn(server)
  const settingsOf = ({ clientId, clientSecret }: { readonly clientId: string; readonly clientSecret: string }) => ({
    client_id: clientId,
    client_secret: clientSecret,
  })
  const scopes = ['orders.read', 'orders.write']
  const orders = await server.registerClient({
    clientId: 'orders',
    grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER],
    scopes,
    audiences: [WAREHOUSE],
  })
  const warehouse = await server.registerClient({
    clientId: 'warehouse',
    grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE],
    scopes: ['orders.read'],
    audiences: [BILLING],
    resourceAudiences: [WAREHOUSE],
  })
  const reports = await server.registerClient({
    clientId: 'reports',
    scopes: ['orders.read'],
    audiences: [WAREHOUSE],
    config: { accessTokenFormat: AccessTokenFormat.JWT },
  })
  const courier = await server.registerClient({
    clientId: 'courier',
    audiences: [WAREHOUSE],
    authenticationMethod: AuthenticationMethod.TLS_CLIENT,
    tlsClientSubject: 'uri:spiffe://shop/courier',
  })
  return {
    orders: settingsOf(orders),
    warehouse: settingsOf(warehouse),
    reports: settingsOf(reports),
    courier: settingsOf(courier),
    shop: {
      ...settingsOf(await grants.webClient({ clientId: 'shop', audiences: [WAREHOUSE] })),
      redirect_uri: REDIRECT_URI,
    },
    television: settingsOf(await grants.deviceClient({ clientId: 'television' })),
    front_end: settingsOf(await server.registerClient({ clientId: 'front-end', scopes: ['qscope:consent'] })),
    operator: settingsOf(
      await server.registerClient({ clientId: 'operator', scopes: ['qscope:clients.read', 'qscope:tokens.read'] }),
    ),
  }
}

import type { MessageInitShape } from '@bufbuild/protobuf'
import { AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type TrustedIssuerSchema, TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { jwksOf, type SigningPair } from './assertions.ts'
import { certificateAuthority, LOCAL_NAMES, suiteFolder } from './certificates.ts'
import { type HttpsHost, httpsHost } from './https-host.ts'
import type { TestServer } from './server.ts'

/** Allows a server to fetch from hosts on this machine. */
export const LOCAL_HOSTS = Object.freeze({ QSCOPE_TRUST_PRIVATE_HOSTS: 'localhost' })
export const OPENID_METADATA = '/.well-known/openid-configuration'

/** Hosts on this machine with certificates of one CA. */
export function localHosts() {
  const authority = certificateAuthority(suiteFolder(), 'hosts')
  const identity = authority.issue('host', LOCAL_NAMES)
  return { caCertificates: authority.cert.toString(), identity, open: () => httpsHost(identity) }
}

export const urlOf = ({ port }: Pick<HttpsHost, 'port'>) => `https://localhost:${port}`

/** A host with the metadata and keys of an issuer. */
export async function discoverableIssuer(
  { open }: Pick<ReturnType<typeof localHosts>, 'open'>,
  ...pairs: SigningPair[]
) {
  const host = await open()
  const issuer = urlOf(host)
  host.answers.set(OPENID_METADATA, JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }))
  const publish = (...published: readonly SigningPair[]) => void host.answers.set('/jwks', jwksOf(...published))
  publish(...pairs)
  return { host, issuer, publish }
}

/** Creates trusted issuers and presents their assertions. */
export function trustOn(server: TestServer) {
  const bearer = { bearer: server.admin.token }
  return {
    trust: async (trustedIssuer: MessageInitShape<typeof TrustedIssuerSchema>) =>
      await server.call(TrustService.method.createTrustedIssuer, { trustedIssuer }, bearer),
    /** Moves the keys of an issuer to another URL. */
    move: async (issuer: string, jwksUri: string) => {
      const trustedIssuer = { issuer, keys: { case: 'jwksUri', value: jwksUri } } as const
      const request = { trustedIssuer, updateMask: { paths: ['jwks_uri'] } }
      await server.call(TrustService.method.updateTrustedIssuer, request, bearer)
    },
    /** A client with one scope whose tokens assertions are exchanged for. */
    workload: async () => {
      const { clientId } = await server.registerClient({
        clientId: server.unique('workload-'),
        scopes: ['stock.read'],
        grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER],
      })
      return clientId
    },
    exchange: async (assertion: string) => {
      const { token } = await server.call(TokenService.method.exchangeAssertion, { assertion })
      return token
    },
    /** A client with one scope that assertions of a subject authenticate. Returns a function that mints with one. */
    federated: async (issuer: string, subject: string) => {
      const { clientId } = await server.registerClient({
        clientId: server.unique('federated-'),
        authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
        federatedIdentities: [{ issuer, subject }],
        scopes: ['stock.read'],
      })
      return async (value: string) => {
        const client = { clientId, method: { case: 'clientAssertion', value } } as const
        const { token } = await server.call(TokenService.method.mintToken, { client })
        return token
      }
    },
  }
}

import { randomUUID } from 'node:crypto'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { isPermission } from '../../src/domain/scopes.ts'
import { AuthenticationMethod, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, type RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import type { IssuedToken } from '../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { Refused } from '../setup/client.ts'
import type { TestServer } from '../setup/server.ts'

const { CLIENT_SECRET, PRIVATE_KEY_JWT } = AuthenticationMethod
/** The intruder's own key, which it tries to add to registrations of other clients. */
const pair = signingPair('ES256')
export const INTRUDERS_JWKS = jwksOf(pair)
export const INTRUDERS_TLS_SUBJECT = `x5t#S256:${'A'.repeat(43)}`

type Registration = MessageInitShape<typeof RegisterClientRequestSchema>

/** A caller with the permission to write clients, who records all values from the server. */
export class Intruder {
  readonly server: TestServer
  /** The initial permissions. */
  readonly held: readonly string[]
  /** Ids of known clients, its own and others'. */
  readonly clientIds: string[] = []
  readonly secrets: { readonly clientId: string; readonly secret: string }[] = []
  readonly tokens: string[] = []
  /** Permissions of its tokens beyond the initial ones. */
  readonly gained: string[] = []
  /** How many of its calls were answered. */
  answered = 0

  constructor(server: TestServer, held: readonly string[]) {
    this.server = server
    this.held = held
  }

  /** Selects an item by number, modulo the length of the list. */
  static pick<T>(list: readonly T[], index: number): T {
    const picked = list[index % list.length]
    if (picked === undefined) throw new Error('there is nothing to pick from')
    return picked
  }

  /** Runs an attempt. A refusal is expected; any other error fails the test. */
  async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act()
      this.answered += 1
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 'INTERNAL' || error.status === 'UNKNOWN') throw error
    }
  }

  bearer(index: number) {
    return { bearer: Intruder.pick(this.tokens, index) }
  }

  async register(registration: Registration, bearer: { readonly bearer: string }): Promise<void> {
    const request = { type: ClientType.CONFIDENTIAL, grantTypes: GRANTS, redirectUris: REDIRECTS, ...registration }
    const { client, clientSecret } = await this.server.call(ClientService.method.registerClient, request, bearer)
    this.learn(client?.clientId ?? '', clientSecret)
  }

  learn(clientId: string, secret: string): void {
    if (!this.clientIds.includes(clientId)) this.clientIds.push(clientId)
    if (secret !== '') this.secrets.push({ clientId, secret })
  }

  /** Credentials that it has received, or its own key for any client. */
  async credentials(index: number, withKey: boolean) {
    if (!withKey) {
      const { clientId, secret } = Intruder.pick(this.secrets, index)
      return { clientId, method: { case: 'clientSecret' as const, value: secret } }
    }
    const clientId = Intruder.pick(this.clientIds, index)
    const claims = { iss: clientId, sub: clientId, aud: this.server.issuer, jti: randomUUID(), exp: inSeconds(60) }
    return { clientId, method: { case: 'clientAssertion' as const, value: await signed(pair, claims) } }
  }

  /** Records a token. The server is asked for its permissions, in addition to the answer. */
  async keep(token: IssuedToken | undefined): Promise<void> {
    if (token === undefined) return
    this.tokens.push(token.accessToken)
    const { introspectToken } = TokenService.method
    const { admin } = this.server
    const { claims } = await this.server.call(introspectToken, { token: token.accessToken }, { bearer: admin.token })
    const scopes = [...token.scopes, ...(claims?.scopes ?? [])]
    this.gained.push(...scopes.filter((scope) => isPermission(scope) && !this.held.includes(scope)))
  }
}

export const GRANTS = [
  GrantType.CLIENT_CREDENTIALS,
  GrantType.TOKEN_EXCHANGE,
  GrantType.AUTHORIZATION_CODE,
  GrantType.DEVICE_CODE,
  GrantType.REFRESH_TOKEN,
]
export const REDIRECTS = ['https://app.example/callback']

/** The authentication methods of the intruder's own clients. */
export const PROOFS: readonly { readonly authenticationMethod: AuthenticationMethod; readonly jwks?: string }[] = [
  { authenticationMethod: CLIENT_SECRET },
  { authenticationMethod: PRIVATE_KEY_JWT, jwks: INTRUDERS_JWKS },
]

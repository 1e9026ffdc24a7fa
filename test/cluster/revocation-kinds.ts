import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { refusalOf } from '../setup/client.ts'
import { type CalledServer, grantsOn } from '../setup/grants.ts'
import { JWT } from '../setup/jwt.ts'

/** Tokens that are revoked together. */
export interface Subject {
  readonly tokens: readonly string[]
  /** Revokes them, by a call to this server. */
  readonly end: (on: CalledServer) => Promise<unknown>
  /** Makes them valid again; absent if that is impossible. */
  readonly restore?: (on: CalledServer) => Promise<unknown>
}

const DAY = { seconds: 86_400n }
const { revokeToken, revokeTokens, listTokens } = TokenService.method

/** Every way to revoke tokens, except the revocation of their signing key. */
export const KINDS = [
  'token',
  'refresh token',
  'grant',
  'reuse in a family',
  'client disabled',
  'client deleted',
  'client generation',
  'user deactivated',
  'user deleted',
  'user generation',
  'eviction by a cap',
  'ancestor of an exchange',
] as const
export type Kind = (typeof KINDS)[number]

/** Clients of one token format, shared by the subjects that are revoked without their client. */
export class SubjectMaker {
  readonly #config: object
  readonly #shared: {
    readonly service: ReturnType<ReturnType<typeof grantsOn>['serviceClient']>
    readonly web: ReturnType<ReturnType<typeof grantsOn>['webClient']>
    readonly capped: ReturnType<ReturnType<typeof grantsOn>['webClient']>
  }

  constructor(on: CalledServer, format: 'opaque' | 'jwt') {
    this.#config = { accessTokenTtl: DAY, refreshTokenReplayWindow: { seconds: 0n }, ...(format === 'jwt' ? JWT : {}) }
    const grants = grantsOn(on)
    this.#shared = {
      service: grants.serviceClient({ config: this.#config }),
      web: grants.webClient({ config: this.#config }),
      capped: grants.webClient({ config: { ...this.#config, maxActiveRefreshTokensPerUser: 1 } }),
    }
  }

  async make(kind: Kind, on: CalledServer): Promise<Subject> {
    const grants = grantsOn(on)
    const bearer = grants.bearer()
    const [service, web, capped] = await Promise.all([this.#shared.service, this.#shared.web, this.#shared.capped])
    const clientOfItsOwn = async () => {
      const own = await grants.serviceClient({ config: this.#config })
      const { clientId } = own
      return { clientId, tokens: [(await grants.mint(own)).accessToken] }
    }
    const userOfItsOwn = async () => {
      const { accessToken } = await grants.signIn(web)
      const userId = (await grants.claimsOf(accessToken))?.subject ?? ''
      return { userId, tokens: [accessToken] }
    }
    switch (kind) {
      case 'token': {
        const { accessToken } = await grants.mint(service)
        const request = { client: service.client, token: accessToken }
        return { tokens: [accessToken], end: (there) => there.call(revokeToken, request) }
      }
      case 'refresh token': {
        const { accessToken, refreshToken } = await grants.signIn(web)
        const request = { client: web.client, token: refreshToken }
        return { tokens: [accessToken], end: (there) => there.call(revokeToken, request) }
      }
      case 'grant': {
        const { userId, tokens } = await userOfItsOwn()
        const listed = await on.call(listTokens, { userId }, bearer)
        const value = listed.tokens[0]?.grantId ?? ''
        return {
          tokens,
          end: (there) => there.call(revokeTokens, { target: { case: 'grantId', value }, reason: 'test' }, bearer),
        }
      }
      case 'reuse in a family': {
        const first = await grants.signIn(web)
        const second = await grants.refresh(web, first.refreshToken)
        return {
          tokens: [first.accessToken, second.accessToken],
          end: async (there) => {
            const refusal = await refusalOf(grantsOn(there).refresh(web, first.refreshToken))
            if (refusal.reason !== 'OAUTH_INVALID_GRANT') throw refusal
          },
        }
      }
      case 'client disabled': {
        const { clientId, tokens } = await clientOfItsOwn()
        return {
          tokens,
          end: (there) => there.call(ClientService.method.disableClient, { clientId }, bearer),
          restore: (there) => there.call(ClientService.method.enableClient, { clientId }, bearer),
        }
      }
      case 'client deleted': {
        const { clientId, tokens } = await clientOfItsOwn()
        return { tokens, end: (there) => there.call(ClientService.method.deleteClient, { clientId }, bearer) }
      }
      case 'client generation': {
        const { clientId: value, tokens } = await clientOfItsOwn()
        return {
          tokens,
          end: (there) => there.call(revokeTokens, { target: { case: 'clientId', value }, reason: 'test' }, bearer),
        }
      }
      case 'user deactivated': {
        const { userId, tokens } = await userOfItsOwn()
        return {
          tokens,
          end: (there) => there.call(UserService.method.deactivateUser, { userId }, bearer),
          restore: (there) => there.call(UserService.method.reactivateUser, { userId }, bearer),
        }
      }
      case 'user deleted': {
        const { userId, tokens } = await userOfItsOwn()
        return { tokens, end: (there) => there.call(UserService.method.deleteUser, { userId }, bearer) }
      }
      case 'user generation': {
        const { userId: value, tokens } = await userOfItsOwn()
        return {
          tokens,
          end: (there) => there.call(revokeTokens, { target: { case: 'userId', value }, reason: 'test' }, bearer),
        }
      }
      case 'eviction by a cap': {
        const user = grants.newUser()
        const { accessToken } = await grants.signIn(capped, { user })
        return { tokens: [accessToken], end: (there) => grantsOn(there).signIn(capped, { user }) }
      }
      case 'ancestor of an exchange': {
        const { accessToken } = await grants.mint(service)
        const derived = await grants.exchangeToken(service, accessToken)
        const request = { client: service.client, token: accessToken }
        return { tokens: [accessToken, derived.accessToken], end: (there) => there.call(revokeToken, request) }
      }
      default:
        return kind satisfies never
    }
  }
}

import { createHash, randomBytes } from 'node:crypto'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import type { RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService, type StartDeviceAuthorizationRequestSchema } from '../../src/gen/qscope/v1/device_service_pb.ts'
import type { IssuedToken } from '../../src/gen/qscope/v1/token_pb.ts'
import {
  CodeChallengeMethod,
  type CreateAuthorizationCodeRequestSchema,
  type ExchangeAuthorizationCodeRequestSchema,
  type ExchangeTokenRequestSchema,
  TokenService,
} from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { TestServer } from './server.ts'

export const REDIRECT_URI = 'https://app.example/callback'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** Optional fields of a request. */
type Wishes<S extends DescMessage> = Exclude<MessageInitShape<S>, { $typeName: string }>
type Registration = Wishes<typeof RegisterClientRequestSchema>

/** A successful token response, without optional members. `refreshToken` is empty if there is none. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly tokenId: string
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** The access token's lifetime in seconds. */
  readonly expiresIn: number
  readonly issuedTokenType: string | undefined
}

export function tokensOf(token: IssuedToken | undefined): Tokens {
  if (token === undefined) throw new Error('the answer has no token')
  const { accessToken, refreshToken = '', tokenId, scopes, audiences, issuedTokenType } = token
  const expiresIn = Number(token.expiresIn?.seconds ?? 0n) + (token.expiresIn?.nanos ?? 0) / 1e9
  return { accessToken, refreshToken, tokenId, scopes, audiences, expiresIn, issuedTokenType }
}

/** A verifier and its S256 challenge (RFC 7636 §4.1, §4.2). */
export function pkcePair(verifier = randomBytes(32).toString('base64url')) {
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** Whether a span that has just begun has this number of seconds left. Expiry is rounded down to the second. */
export function isSpan(seconds: number): (left: number) => boolean {
  return (left) => left === seconds || left === seconds - 1
}

/** A code and the values with which its client redeems it. */
export interface Code {
  readonly code: string
  /** `undefined`: without PKCE. */
  readonly verifier: string | undefined
  readonly redirectUri: string
}

type Client = Awaited<ReturnType<TestServer['registerClient']>>
type As = Pick<Client, 'client'>

export type Grants = ReturnType<typeof grantsOn>

/** A server to call, in this process or in another. */
export interface CalledServer extends Pick<TestServer, 'call' | 'stream' | 'registerClient' | 'unique'> {
  readonly admin: { readonly token: string }
}

/** The calls of a front end, a user and an OAuth client. */
export function grantsOn(server: CalledServer) {
  const bearer = () => ({ bearer: server.admin.token })

  /** A confidential client for codes and refresh tokens by default. */
  const webClient = (more: Registration = {}) =>
    server.registerClient({
      grantTypes: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN],
      redirectUris: [REDIRECT_URI],
      scopes: ['orders.read', 'orders.write'],
      ...more,
    })

  /** A public client for codes and refresh tokens by default. */
  async function nativeClient(more: Registration = {}): Promise<Client> {
    const registered = await webClient({ type: ClientType.PUBLIC, ...more })
    const { clientId } = registered
    return { ...registered, client: { clientId } as Client['client'] }
  }

  /** A public client for device codes and refresh tokens by default. */
  const deviceClient = (more: Registration = {}) =>
    nativeClient({ grantTypes: [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN], redirectUris: [], ...more })

  /** A confidential client for token exchange by default. */
  const serviceClient = (more: Registration = {}) =>
    server.registerClient({
      grantTypes: [GrantType.TOKEN_EXCHANGE, GrantType.CLIENT_CREDENTIALS],
      scopes: ['orders.read', 'orders.write'],
      ...more,
    })

  const newUser = () => ({ id: { case: 'externalId' as const, value: server.unique('user-') } })

  /** A user consents: a code with a PKCE pair, by default for a new user. */
  async function createCode(
    { clientId }: Pick<Client, 'clientId'>,
    more: Wishes<typeof CreateAuthorizationCodeRequestSchema> = {},
  ): Promise<Code> {
    const { verifier, challenge } = pkcePair()
    const request = {
      clientId,
      user: newUser(),
      redirectUri: REDIRECT_URI,
      codeChallenge: challenge,
      codeChallengeMethod: CodeChallengeMethod.S256,
      ...more,
    }
    const { code } = await server.call(TokenService.method.createAuthorizationCode, request, bearer())
    return { code, verifier, redirectUri: request.redirectUri }
  }

  /** Without a challenge, for a client that does not need one. */
  async function createCodeWithoutPkce({ clientId }: Pick<Client, 'clientId'>): Promise<Code> {
    const request = { clientId, user: newUser(), redirectUri: REDIRECT_URI }
    const { code } = await server.call(TokenService.method.createAuthorizationCode, request, bearer())
    return { code, verifier: undefined, redirectUri: REDIRECT_URI }
  }

  async function exchangeCode(
    { client }: As,
    { code, verifier, redirectUri }: Code,
    more: Wishes<typeof ExchangeAuthorizationCodeRequestSchema> = {},
  ): Promise<Tokens> {
    const proof = verifier === undefined ? {} : { codeVerifier: verifier }
    const request = { client, code, redirectUri, ...proof, ...more }
    return tokensOf((await server.call(TokenService.method.exchangeAuthorizationCode, request)).token)
  }

  async function refresh(
    { client }: As,
    refreshToken: string,
    scopes: string[] = [],
    audiences: string[] = [],
  ): Promise<Tokens> {
    const request = { client, refreshToken, scopes, audiences }
    return tokensOf((await server.call(TokenService.method.refreshToken, request)).token)
  }

  /** Exchanges an access token. Sets the type of the subject token. */
  async function exchangeToken(
    { client }: As,
    subjectToken: string,
    more: Wishes<typeof ExchangeTokenRequestSchema> = {},
  ): Promise<Tokens> {
    const request = { client, subjectToken, subjectTokenType: ACCESS_TOKEN_TYPE, ...more }
    return tokensOf((await server.call(TokenService.method.exchangeToken, request)).token)
  }

  return {
    bearer,
    webClient,
    nativeClient,
    deviceClient,
    serviceClient,
    newUser,
    createCode,
    createCodeWithoutPkce,
    exchangeCode,
    refresh,
    exchangeToken,

    /** A user consents and the client redeems the code. */
    async signIn(client: Client, more: Wishes<typeof CreateAuthorizationCodeRequestSchema> = {}) {
      return await exchangeCode(client, await createCode(client, more))
    },

    async mint({ client }: As, more: object = {}): Promise<Tokens> {
      return tokensOf((await server.call(TokenService.method.mintToken, { client, ...more })).token)
    },

    /** Whether a token is active, whoever owns it. */
    async isActive(token: string): Promise<boolean> {
      return (await server.call(TokenService.method.introspectToken, { token }, bearer())).active
    },

    /** The claims of an active token. Otherwise `undefined`. */
    async claimsOf(token: string) {
      return (await server.call(TokenService.method.introspectToken, { token }, bearer())).claims
    },

    async startDevice({ client }: As, more: Wishes<typeof StartDeviceAuthorizationRequestSchema> = {}) {
      return await server.call(DeviceService.method.startDeviceAuthorization, { client, ...more })
    },

    /** A user consents, by default a new one. */
    async approveDevice({ userCode }: { readonly userCode: string }, more: object = {}) {
      const request = { userCode, user: newUser(), ...more }
      await server.call(DeviceService.method.approveDeviceAuthorization, request, bearer())
    },

    async denyDevice({ userCode }: { readonly userCode: string }, more: object = {}) {
      await server.call(DeviceService.method.denyDeviceAuthorization, { userCode, ...more }, bearer())
    },

    /** Polls once. */
    async redeemDevice({ client }: As, { deviceCode }: { readonly deviceCode: string }): Promise<Tokens> {
      return tokensOf((await server.call(DeviceService.method.redeemDeviceCode, { client, deviceCode })).token)
    },

    /** Watches a device code until it is decided elsewhere. */
    watchDevice({ client }: As, { deviceCode }: { readonly deviceCode: string }) {
      return server.stream(DeviceService.method.watchDeviceAuthorization, { client, deviceCode })
    },
  }
}

import type { MessageInitShape } from '@bufbuild/protobuf'
import { AccessTokenFormat, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import type { RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import type { Grant, Profile } from './entities.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR

export const REDIRECT_URI = 'https://app.example/callback'
export const OTHER_REDIRECT_URI = 'https://app.example/other'

const GRANTS = {
  authorization_code: GrantType.AUTHORIZATION_CODE,
  client_credentials: GrantType.CLIENT_CREDENTIALS,
  refresh_token: GrantType.REFRESH_TOKEN,
  device_code: GrantType.DEVICE_CODE,
  token_exchange: GrantType.TOKEN_EXCHANGE,
} as const satisfies Record<Grant, GrantType>

const NO_CAPS = { refreshTokens: null, perUser: null, accessTokens: null }

const ORDINARY: Profile = Object.freeze({
  name: 'ordinary',
  isPublic: false,
  grants: [],
  scopes: ['a', 'b', 'c'],
  audiences: [],
  resourceAudiences: [],
  requirePkce: false,
  impersonates: false,
  jwt: false,
  accessTtl: HOUR,
  refreshTtl: 30 * DAY,
  maxLifetime: 90 * DAY,
  codeTtl: 60 * SECOND,
  deviceTtl: 600 * SECOND,
  pollInterval: 5 * SECOND,
  replayWindow: 10 * SECOND,
  caps: NO_CAPS,
})

/** The clients of one run, whose name makes them different from those of other runs. */
export function profilesOf(run: string): readonly Profile[] {
  const [orders, billing] = [`${run}.orders`, `${run}.billing`]
  const withUsers: Grant[] = ['authorization_code', 'device_code', 'refresh_token']
  return [
    {
      ...ORDINARY,
      name: 'web',
      jwt: true,
      grants: [...withUsers, 'client_credentials', 'token_exchange'],
      audiences: [orders, billing, `${run}-api`],
      caps: { refreshTokens: 3, perUser: 2, accessTokens: 2 },
    },
    {
      ...ORDINARY,
      name: 'api',
      grants: ['client_credentials', 'token_exchange'],
      scopes: ['a', 'b'],
      audiences: [billing],
      resourceAudiences: [orders],
    },
    {
      ...ORDINARY,
      name: 'native',
      isPublic: true,
      grants: withUsers,
      scopes: ['a', 'b'],
      audiences: [orders],
      requirePkce: true,
      refreshTtl: HOUR,
      maxLifetime: DAY,
      replayWindow: 0,
    },
    {
      ...ORDINARY,
      name: 'backend',
      jwt: true,
      grants: ['client_credentials', 'token_exchange', 'device_code'],
      scopes: ['b', 'c'],
      resourceAudiences: [billing],
      impersonates: true,
      accessTtl: 600 * SECOND,
    },
    {
      ...ORDINARY,
      name: 'legacy',
      grants: ['authorization_code', 'refresh_token'],
      scopes: ['a', 'b'],
      accessTtl: 2 * HOUR,
      refreshTtl: DAY,
      maxLifetime: 30 * HOUR,
      replayWindow: 60 * SECOND,
      caps: { refreshTokens: null, perUser: 1, accessTokens: 1 },
    },
  ]
}

const duration = (ms: number) => ({ seconds: BigInt(ms / SECOND) })

export function registrationOf(
  clientId: string,
  profile: Profile,
): MessageInitShape<typeof RegisterClientRequestSchema> {
  const { caps, grants, isPublic } = profile
  return {
    clientId,
    type: isPublic ? ClientType.PUBLIC : ClientType.CONFIDENTIAL,
    grantTypes: grants.map((grant) => GRANTS[grant]),
    redirectUris: grants.includes('authorization_code') ? [REDIRECT_URI] : [],
    scopes: [...profile.scopes],
    audiences: [...profile.audiences],
    resourceAudiences: [...profile.resourceAudiences],
    config: {
      accessTokenTtl: duration(profile.accessTtl),
      refreshTokenTtl: duration(profile.refreshTtl),
      refreshTokenMaxLifetime: duration(profile.maxLifetime),
      authorizationCodeTtl: duration(profile.codeTtl),
      deviceCodeTtl: duration(profile.deviceTtl),
      devicePollInterval: duration(profile.pollInterval),
      refreshTokenReplayWindow: duration(profile.replayWindow),
      requirePkce: profile.requirePkce,
      allowImpersonation: profile.impersonates,
      accessTokenFormat: profile.jwt ? AccessTokenFormat.JWT : AccessTokenFormat.OPAQUE,
      ...capsOf(caps),
    },
  }
}

/** The caps as fields of `ClientConfig`; one that does not exist is left out. */
export function capsOf({ refreshTokens, perUser, accessTokens }: Profile['caps']) {
  return {
    ...(refreshTokens !== null && { maxActiveRefreshTokens: refreshTokens }),
    ...(perUser !== null && { maxActiveRefreshTokensPerUser: perUser }),
    ...(accessTokens !== null && { maxActiveAccessTokens: accessTokens }),
  }
}

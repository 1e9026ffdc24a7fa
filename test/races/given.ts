import type { MessageInitShape } from '@bufbuild/protobuf'
import { type ClientConfigSchema, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { CodeChallengeMethod } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { grantsOn, pkcePair, REDIRECT_URI, type Tokens } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

export type Registered = Awaited<ReturnType<TestServer['registerClient']>>

const pkce = pkcePair()

/** A user by external id. */
export function external(value: string) {
  return { id: { case: 'externalId' as const, value } }
}

/** A user's consent for a client, as the front end reports it. */
export function consentOf(clientId: string, externalId: string) {
  return {
    clientId,
    user: external(externalId),
    redirectUri: REDIRECT_URI,
    codeChallenge: pkce.challenge,
    codeChallengeMethod: CodeChallengeMethod.S256,
  }
}

/** The request that redeems the code of such a consent. */
export function redemptionOf({ client }: Registered, code: string) {
  return { client, code, redirectUri: REDIRECT_URI, codeVerifier: pkce.verifier }
}

/** The objects that races start with: a client with every grant, and codes and tokens of its users. */
export function givenGrants(server: TestServer) {
  const grants = grantsOn(server)

  /** The request that redeems a fresh code of a user. */
  async function code(owner: Registered, externalId = server.unique('user-')) {
    const consent = await grants.createCode(owner, consentOf(owner.clientId, externalId))
    return redemptionOf(owner, consent.code)
  }

  return {
    bearer: grants.bearer,
    client: (config: MessageInitShape<typeof ClientConfigSchema> = {}) =>
      grants.webClient({
        grantTypes: [
          GrantType.AUTHORIZATION_CODE,
          GrantType.REFRESH_TOKEN,
          GrantType.CLIENT_CREDENTIALS,
          GrantType.DEVICE_CODE,
          GrantType.TOKEN_EXCHANGE,
        ],
        scopes: ['read', 'write'],
        config,
      }),
    code,
    device: grants.startDevice,

    /** The first tokens of a new family. */
    family: (owner: Registered, externalId = server.unique('user-')): Promise<Tokens> =>
      grants.signIn(owner, { user: external(externalId) }),

    refresh: (owner: Registered, { refreshToken }: Tokens): Promise<Tokens> => grants.refresh(owner, refreshToken),

    /** A device code that a user has approved. */
    async approvedDevice(owner: Registered, externalId = server.unique('user-')): Promise<string> {
      const started = await grants.startDevice(owner)
      await grants.approveDevice(started, { user: external(externalId) })
      return started.deviceCode
    },
  }
}

/** How often each type of event was recorded for a client. */
export async function eventsOf(server: TestServer, clientId: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { eventType } of await server.auditEvents({ clientId })) {
    if (eventType !== 'client.registered') counts[eventType] = (counts[eventType] ?? 0) + 1
  }
  return counts
}

import { createHash } from 'node:crypto'
import { ACCESS_TOKEN_TYPE, TRANSACTION_TOKEN_TYPE } from '../../domain/token-types.ts'
import { clientCredentials, clientCredentialsBatch } from '../../flows/grants/client-credentials.ts'
import { createAuthorizationCode } from '../../flows/grants/create-authorization-code.ts'
import { exchangeAssertion } from '../../flows/grants/exchange-assertion.ts'
import { exchangeAuthorizationCode } from '../../flows/grants/exchange-authorization-code.ts'
import { refreshToken } from '../../flows/grants/refresh-token.ts'
import { replaceBearer } from '../../flows/grants/replace-bearer.ts'
import { tokenExchange } from '../../flows/grants/token-exchange.ts'
import { transactionToken } from '../../flows/grants/transaction-token.ts'
import { REDIRECT_URI } from './client-steps.ts'
import { asClient, type Scene } from './scene.ts'
import { flowStep, type Sample, type Step } from './step.ts'

/** Longer than the retry window of a refresh. */
const AFTER_REPLAY_WINDOW_MS = 60_000

export const service = (scene: Scene) => asClient(scene.service.get().client)

const wanted = (scene: Scene) => ({
  requestedScopes: ['orders.read'],
  requestedAudiences: [scene.issuer.terms.issuer],
  requestedLifetime: null,
})

type InputOf<F> = F extends { readonly preconditions: { check(ctx: never, facts: infer Input): unknown } }
  ? Input
  : never

const consent = (scene: Scene): InputOf<typeof createAuthorizationCode> => ({
  ...wanted(scene),
  clientId: scene.service.get().client.clientId,
  userReference: { kind: 'external', externalId: scene.externalId, field: 'external_id' },
  redirectUri: REDIRECT_URI,
  codeChallenge: createHash('sha256').update(scene.codeVerifier).digest('base64url'),
  challengeMethodNamed: true,
})

const redemption = (scene: Scene): InputOf<typeof exchangeAuthorizationCode> => ({
  presentedCode: scene.code.get().value,
  redirectUri: REDIRECT_URI,
  codeVerifier: scene.codeVerifier,
  requestedAudiences: [],
})

const refreshed = (scene: Scene): InputOf<typeof refreshToken> => ({
  presentedToken: scene.family.get().refresh?.value ?? '',
  requestedScopes: [],
  requestedAudiences: [],
})

/** The call of each grant, which also prepares what other steps need. */
export const clientCredentialsStep = flowStep(clientCredentials, {
  caller: service,
  input: wanted,
  keep: (scene, issued) => scene.own.set(issued),
})

export const assertionStep = flowStep(exchangeAssertion, {
  prepare: async (scene) => scene.assertion.set(await scene.issuer.assertion(scene.now)),
  caller: () => ({ kind: 'anonymous' }),
  input: (scene) => ({ ...wanted(scene), assertion: scene.assertion.get() }),
})

const code: Sample<InputOf<typeof createAuthorizationCode>, Parameters<Scene['code']['set']>[0]> = {
  input: consent,
  keep: (scene, issued) => scene.code.set(issued),
}

const codeStep = flowStep(createAuthorizationCode, code)

const codeExchangeStep = flowStep(exchangeAuthorizationCode, {
  caller: service,
  input: redemption,
  keep: (scene, issued) => scene.family.set(issued),
})

export const refreshStep = flowStep(refreshToken, {
  caller: service,
  input: refreshed,
  keep: (scene, issued) => scene.successor.set(issued),
})

/** Issues new tokens for a user's grant. */
export async function issueFamily(scene: Scene): Promise<void> {
  await codeStep.run(scene)
  await codeExchangeStep.run(scene)
}

/** An exchange of the service's own token. */
function exchange(scene: Scene) {
  return {
    ...wanted(scene),
    subjectToken: scene.own.get().value,
    subjectTokenType: ACCESS_TOKEN_TYPE,
    actorToken: null,
    actorTokenType: null,
  }
}

export const GRANT_STEPS: readonly Step[] = [
  clientCredentialsStep,
  flowStep(clientCredentialsBatch, {
    caller: service,
    input: (scene) => ({ requests: [wanted(scene), wanted(scene)] }),
  }),
  flowStep(tokenExchange, {
    caller: service,
    input: (scene) => ({ ...exchange(scene), requestedTokenType: null }),
  }),
  flowStep(transactionToken, {
    caller: service,
    input: (scene) => ({
      ...exchange(scene),
      requestedTokenType: TRANSACTION_TOKEN_TYPE,
      requestContext: null,
      requestDetails: null,
    }),
  }),
  flowStep(replaceBearer, {
    caller: () => ({ kind: 'system', name: 'ext_authz' }),
    input: (scene) => ({ tokenId: scene.own.get().token.tokenId, audience: scene.issuer.terms.issuer }),
  }),
  assertionStep,
  codeStep,
  codeExchangeStep,
  flowStep(exchangeAuthorizationCode, {
    variant: 'a spent code is shown again',
    caller: service,
    input: redemption,
    refusedWith: 'oauth.invalid_grant',
  }),
  flowStep(exchangeAuthorizationCode, {
    variant: 'the oldest tokens make room',
    prepare: async (scene) => {
      await issueFamily(scene)
      await codeStep.run(scene)
    },
    caller: service,
    input: redemption,
    keep: (scene, issued) => scene.family.set(issued),
  }),
  refreshStep,
  flowStep(refreshToken, { variant: 'a refresh is repeated', caller: service, input: refreshed }),
  flowStep(refreshToken, {
    variant: 'a spent token is shown again later',
    prepare: async (scene) => {
      scene.now = scene.now + AFTER_REPLAY_WINDOW_MS
    },
    caller: service,
    input: refreshed,
    refusedWith: 'oauth.invalid_grant',
  }),
]

import { explainToken } from '../../flows/tokens/explain-token.ts'
import { introspectTokens } from '../../flows/tokens/introspect-tokens.ts'
import { listGrants } from '../../flows/tokens/list-grants.ts'
import { listTokens } from '../../flows/tokens/list-tokens.ts'
import { revokeLeakedToken } from '../../flows/tokens/revoke-leaked-token.ts'
import { revokeToken } from '../../flows/tokens/revoke-token.ts'
import { revokeTokens } from '../../flows/tokens/revoke-tokens.ts'
import { verifyToken } from '../../flows/tokens/verify-token.ts'
import { clientCredentialsStep, issueFamily, service } from './grant-steps.ts'
import { OPERATOR, type Scene } from './scene.ts'
import { flowStep, queryStep, SampleError, type Step } from './step.ts'

const ALL = Object.freeze({ clientId: null, userId: null, activeOnly: false })

const ofClient = (scene: Scene) => ({ ...ALL, clientId: scene.service.get().client.clientId })
const ofUser = (scene: Scene) => ({ ...ALL, userId: scene.user.get().userId })

export const TOKEN_STEPS: readonly Step[] = [
  queryStep(introspectTokens, {
    prepare: issueFamily,
    caller: service,
    input: (scene) => ({
      presented: [scene.own.get().value, scene.family.get().value, scene.family.get().refresh?.value ?? ''],
    }),
  }),
  queryStep(verifyToken, {
    caller: service,
    input: (scene) => ({
      presented: scene.family.get().value,
      requiredScopes: ['orders.read'],
      audience: null,
      presentedCertificate: null,
    }),
  }),
  queryStep(explainToken, {
    input: (scene) => ({
      presented: scene.family.get().value,
      requiredScopes: ['orders.read'],
      audience: null,
      presentedCertificate: null,
    }),
  }),
  queryStep(listTokens, {
    input: () => ({ filter: ALL, pageSize: 1, pageToken: '' }),
    keep: (scene, { nextPageToken }) => scene.nextPage.set(nextPageToken),
  }),
  queryStep(listTokens, {
    variant: 'the next page',
    input: (scene) => ({ filter: ALL, pageSize: 1, pageToken: scene.nextPage.get() }),
  }),
  queryStep(listTokens, {
    variant: 'of a client',
    input: (scene) => ({ filter: ofClient(scene), pageSize: 0, pageToken: '' }),
  }),
  queryStep(listTokens, {
    variant: 'of a user',
    input: (scene) => ({ filter: ofUser(scene), pageSize: 0, pageToken: '' }),
  }),
  queryStep(listTokens, {
    variant: 'active ones of a client and a user',
    input: (scene) => ({
      filter: { ...ofClient(scene), ...ofUser(scene), clientId: ofClient(scene).clientId, activeOnly: true },
      pageSize: 0,
      pageToken: '',
    }),
  }),
  queryStep(listGrants, { input: () => ({ filter: ALL, pageSize: 1, pageToken: '' }) }),
  queryStep(listGrants, {
    variant: 'of a client',
    input: (scene) => ({ filter: ofClient(scene), pageSize: 0, pageToken: '' }),
  }),
  queryStep(listGrants, {
    variant: 'of a user',
    input: (scene) => ({ filter: ofUser(scene), pageSize: 0, pageToken: '' }),
  }),
  queryStep(listGrants, {
    variant: 'active ones of a client and a user',
    input: (scene) => ({
      filter: { clientId: ofClient(scene).clientId, userId: ofUser(scene).userId, activeOnly: true },
      pageSize: 0,
      pageToken: '',
    }),
  }),
  flowStep(revokeToken, {
    variant: 'an access token',
    caller: service,
    input: (scene) => ({ presented: scene.family.get().value }),
  }),
  flowStep(revokeToken, {
    variant: 'a refresh token',
    caller: service,
    input: (scene) => ({ presented: scene.family.get().refresh?.value ?? '' }),
  }),
  flowStep(revokeLeakedToken, {
    variant: 'an access token',
    prepare: issueFamily,
    input: (scene) => ({ presented: scene.family.get().value }),
  }),
  flowStep(revokeLeakedToken, {
    variant: 'a refresh token',
    input: (scene) => ({ presented: scene.family.get().refresh?.value ?? '' }),
  }),
  flowStep(revokeTokens, {
    variant: 'a token',
    prepare: async (scene) => {
      await issueFamily(scene)
      await clientCredentialsStep.run(scene)
    },
    input: (scene) => ({
      target: { kind: 'token' as const, tokenId: scene.own.get().token.tokenId },
      reason: 'sample',
    }),
  }),
  flowStep(revokeTokens, {
    variant: 'a refresh token',
    input: (scene) => {
      const { refresh } = scene.family.get()
      if (refresh === null) throw new Error('the sample client may have refresh tokens')
      return { target: { kind: 'token' as const, tokenId: refresh.token.tokenId }, reason: 'sample' }
    },
  }),
  flowStep(revokeTokens, {
    variant: 'a grant',
    prepare: issueFamily,
    input: (scene) => {
      const { grantId } = scene.family.get().token
      if (grantId === null) throw new Error('the token of a code belongs to a grant')
      return { target: { kind: 'grant' as const, grantId }, reason: 'sample' }
    },
  }),
  flowStep(revokeTokens, {
    variant: 'all of a user',
    input: (scene) => ({ target: { kind: 'user' as const, userId: scene.user.get().userId }, reason: 'sample' }),
  }),
  flowStep(revokeTokens, {
    variant: 'all of a client',
    input: (scene) => ({
      target: { kind: 'client' as const, clientId: scene.service.get().client.clientId },
      reason: 'sample',
    }),
  }),
  pollStep('from now on', 'now'),
  pollStep('the history', 'history'),
]

function pollStep(variant: string, start: 'now' | 'history'): Step {
  return {
    name: 'pollRevocations',
    variant,
    run: async (scene) => {
      const request = { from: { start }, waitMs: 0, pageSize: 1 }
      const result = await scene.app.revocationPolls.poll(scene.context(OPERATOR), request)
      if (!result.ok) throw new SampleError('pollRevocations', variant, result.code)
    },
  }
}

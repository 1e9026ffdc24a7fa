import { randomBytes } from '../../crypto/random.ts'
import { milliseconds } from '../../domain/ids.ts'
import type { IssuerRegistration } from '../../domain/trusted-issuer.ts'
import {
  createTrustedIssuer,
  deleteTrustedIssuer,
  getTrustedIssuer,
  listTrustedIssuers,
} from '../../flows/trust/manage-trusted-issuers.ts'
import { testAssertion } from '../../flows/trust/test-assertion.ts'
import { updateTrustedIssuer } from '../../flows/trust/update-trusted-issuer.ts'
import type { Scene } from './scene.ts'
import { flowStep, queryStep, type Step } from './step.ts'

const FEW = 2

/** An issuer whose keys would be fetched for an assertion, which none uses. */
function registration(scene: Scene): IssuerRegistration {
  const { clientId, terms } = scene.issuer
  return {
    issuer: `https://issuer.example/${randomBytes(8).toString('hex')}`,
    origin: 'api',
    displayName: 'a sample',
    kind: 'jwt',
    trustDomain: null,
    keys: { kind: 'url', url: 'https://issuer.example/jwks', ca: null },
    audience: null,
    singleUse: false,
    maxLifetime: milliseconds(3_600_000),
    rules: terms.rules.map((rule) => ({ ...rule, clientId })),
    owner: null,
  }
}

const named = (scene: Scene) => ({ issuer: scene.registeredIssuer.get(), etag: null })

/** Trusted issuers from creation to deletion, and a tested assertion. */
export const TRUST_STEPS: readonly Step[] = Object.freeze([
  flowStep(createTrustedIssuer, {
    input: (scene) => ({ registration: registration(scene) }),
    keep: (scene, { issuer }) => scene.registeredIssuer.set(issuer),
  }),
  queryStep(getTrustedIssuer, { input: named }),
  queryStep(listTrustedIssuers, { input: () => ({ filter: { owner: null }, pageSize: FEW, pageToken: '' }) }),
  flowStep(updateTrustedIssuer, {
    input: (scene) => ({ ...named(scene), changes: { displayName: 'another sample' }, adopt: false }),
  }),
  queryStep(testAssertion, {
    prepare: async (scene) => scene.assertion.set(await scene.issuer.assertion(scene.now)),
    input: (scene) => ({ assertion: scene.assertion.get(), use: 'client_authentication' as const }),
  }),
  queryStep(testAssertion, {
    variant: 'as a grant',
    prepare: async (scene) => scene.assertion.set(await scene.issuer.assertion(scene.now)),
    input: (scene) => ({ assertion: scene.assertion.get(), use: 'authorization_grant' as const }),
  }),
  flowStep(deleteTrustedIssuer, { input: named }),
])

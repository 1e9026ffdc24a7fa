import { AuditPosition } from '../../domain/audit-position.ts'
import { later, milliseconds } from '../../domain/ids.ts'
import { earliestActivation } from '../../domain/signing-key.ts'
import { listUsage } from '../../flows/audit/list-usage.ts'
import { exportAuditHead, getAuditEvent, listAuditEvents } from '../../flows/audit/read-audit-log.ts'
import { verifyAuditLog } from '../../flows/audit/verify-audit-log.ts'
import { getClient } from '../../flows/clients/manage-clients.ts'
import { updateClient } from '../../flows/clients/update-client.ts'
import { clientCredentials } from '../../flows/grants/client-credentials.ts'
import {
  activateSigningKey,
  getJsonWebKeySet,
  listSigningKeys,
  retireSigningKey,
  revokeSigningKey,
} from '../../flows/keys/manage-signing-keys.ts'
import { prepareSigningKey } from '../../flows/keys/prepare-signing-key.ts'
import { getProtectedResource } from '../../flows/tokens/get-protected-resource.ts'
import { introspectTokens } from '../../flows/tokens/introspect-tokens.ts'
import { signIntrospection } from '../../flows/tokens/sign-introspection.ts'
import { service } from './grant-steps.ts'
import { OPERATOR, type Scene } from './scene.ts'
import { flowStep, queryStep, type Sample, type Step } from './step.ts'

const NOTHING = Object.freeze({ types: [], clientId: null, userId: null, rayId: null, from: null, until: null })
const ANY_USAGE = Object.freeze({ clientId: null, from: null, until: null })
const DAY = milliseconds(86_400_000)
/** Enough to show every statement of a verification of a log of any length. */
const FEW_EVENTS = 10

const named = (scene: Scene) => ({ keyId: scene.key.get().keyId })
const prepared: Sample<{ readonly algorithm: null }, Parameters<Scene['key']['set']>[0]> = {
  input: () => ({ algorithm: null }),
  keep: (scene, key) => scene.key.set(key),
}
const prepare = flowStep(prepareSigningKey, prepared)

/** Switches the client to JWTs. */
async function switchToJwt(scene: Scene): Promise<void> {
  const { clientId } = scene.service.get().client
  await flowStep(updateClient, {
    input: () => ({ clientId, changes: { config: { accessTokenFormat: 'jwt' as const } }, etag: null, adopt: false }),
  }).run(scene)
  await queryStep(getClient, {
    input: () => ({ clientId }),
    keep: (_scene, client) => scene.service.set({ client, secret: null, importedSecrets: [] }),
  }).run(scene)
}

export const KEY_STEPS: readonly Step[] = [
  prepare,
  queryStep(listSigningKeys, { input: () => ({ filter: { state: null }, pageSize: 0, pageToken: '' }) }),
  queryStep(listSigningKeys, {
    variant: 'those of a state',
    input: () => ({ filter: { state: 'active' as const }, pageSize: 0, pageToken: '' }),
  }),
  queryStep(getJsonWebKeySet, { input: () => ({}) }),
  flowStep(activateSigningKey, {
    prepare: async (scene) => {
      scene.now = Math.max(scene.now, earliestActivation(scene.key.get()))
    },
    input: named,
  }),
  flowStep(clientCredentials, {
    variant: 'a JWT',
    prepare: switchToJwt,
    caller: service,
    input: () => ({ requestedScopes: [], requestedAudiences: [], requestedLifetime: null }),
    keep: (scene, issued) => scene.own.set(issued),
  }),
  queryStep(introspectTokens, {
    variant: 'a JWT',
    caller: service,
    input: (scene) => ({ presented: [scene.own.get().value] }),
  }),
  queryStep(getProtectedResource, {
    input: () => ({ resource: 'https://sample.invalid' }),
    refusedWith: 'resource.not_found',
  }),
  flowStep(signIntrospection, { caller: service, input: () => ({ answer: { active: false } }) }),
  flowStep(retireSigningKey, { input: named }),
  flowStep(revokeSigningKey, { prepare: prepare.run, input: (scene) => ({ ...named(scene), reason: 'sample' }) }),
]

const listed = (
  variant: string,
  filter: (scene: Scene) => Partial<Parameters<typeof listAuditEvents.answer>[1]['filter']>,
) =>
  queryStep(listAuditEvents, {
    variant,
    input: (scene) => ({ filter: { ...NOTHING, ...filter(scene) }, pageSize: 0, pageToken: '' }),
  })

export const AUDIT_STEPS: readonly Step[] = [
  queryStep(listAuditEvents, {
    input: () => ({ filter: NOTHING, pageSize: 1, pageToken: '' }),
    keep: (scene, { items: [newest], nextPageToken }) => {
      if (newest !== undefined) scene.event.set(newest)
      scene.nextPage.set(nextPageToken)
    },
  }),
  queryStep(listAuditEvents, {
    variant: 'the next page',
    input: (scene) => ({ filter: NOTHING, pageSize: 1, pageToken: scene.nextPage.get() }),
  }),
  listed('by type', () => ({ types: ['client.registered'] })),
  listed('by several types', () => ({ types: ['client.registered', 'key.created'] })),
  listed('of a client', (scene) => ({ clientId: scene.service.get().client.clientId })),
  listed('of a user', (scene) => ({ userId: scene.user.get().userId })),
  listed('of a call', (scene) => ({ rayId: scene.event.get().rayId })),
  listed('of a day', (scene) => ({ from: scene.event.get().createdAt, until: later(scene.now, DAY) })),
  listed('by all filters', (scene) => ({
    types: ['token.issued'],
    clientId: scene.service.get().client.clientId,
    userId: scene.user.get().userId,
    from: scene.event.get().createdAt,
  })),
  {
    name: 'findAuditLogEnd',
    variant: null,
    run: async (scene) => scene.auditEnd.set(await scene.app.auditFeed.end()),
  },
  {
    name: 'watchAuditEvents',
    variant: null,
    run: async (scene) => {
      const { last, marks } = scene.auditEnd.get()
      const before = Array.from(marks, ([ordinal, { sequence, entry }]) => {
        return [ordinal, { sequence: sequence - 1, entry }] as const
      })
      const position = new AuditPosition(last, new Map(before))
      const reading = await scene.app.auditFeed.readFrom(position)
      await reading.page(scene.context(OPERATOR), position)
    },
  },
  {
    name: 'usage',
    variant: 'what events add to it',
    run: (scene) =>
      scene.app.backend.transaction(scene.context(OPERATOR), async (stores) => {
        await stores.auditFollowers.place(scene.context(OPERATOR), 'usage')
        const { clientId } = scene.service.get().client
        const counts = [{ day: scene.now, clientId, scope: 'orders.read', asked: 1, granted: 1 }]
        const change = { at: scene.now, forgetAt: later(scene.now, DAY) }
        // Once as new rows, once as existing ones.
        await stores.usage.add(counts, change)
        await stores.usage.add(counts, change)
        return { commit: true, value: undefined }
      }),
  },
  queryStep(listUsage, { input: () => ({ filter: ANY_USAGE, pageSize: 1, pageToken: '' }) }),
  queryStep(listUsage, {
    variant: 'of a client',
    input: (scene) => ({
      filter: { ...ANY_USAGE, clientId: scene.service.get().client.clientId },
      pageSize: 0,
      pageToken: '',
    }),
  }),
  queryStep(getAuditEvent, { input: (scene) => ({ eventId: scene.event.get().eventId }) }),
  queryStep(exportAuditHead, { input: () => ({}) }),
  queryStep(verifyAuditLog, { input: () => ({ exportedHead: '', maxEvents: FEW_EVENTS, pageToken: '' }) }),
]

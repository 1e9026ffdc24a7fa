import { uuidV7 } from '../../crypto/random.ts'
import { PURGE_KINDS } from '../../domain/expiry.ts'
import { type EpochMs, epochMs, later, milliseconds } from '../../domain/ids.ts'
import { keyReferences } from '../keyring.ts'
import { assertionStep, clientCredentialsStep, issueFamily, refreshStep } from './grant-steps.ts'
import type { Scene } from './scene.ts'
import { runStep, type Step } from './step.ts'
import { startStep } from './user-and-device-steps.ts'

/** Older than all real data, so that only samples are deleted. */
const LONG_AGO = epochMs(86_400_000)
const YEAR = milliseconds(365 * 86_400_000)
const BATCH = 500
const MOST_COUNTED = 10_000
const LEASE = milliseconds(60_000)
const ACCESS = { permission: null, clientAuthentication: true, anyone: false, idempotent: true }

/** Creates one of each kind of record that the purge deletes, long ago. */
async function longAgo(scene: Scene): Promise<void> {
  const present = scene.now
  scene.now = LONG_AGO
  for (const step of [clientCredentialsStep, assertionStep, startStep]) await runStep(step, scene)
  await issueFamily(scene)
  await refreshStep.run(scene)
  scene.now = present
}

async function inMaintenance(
  scene: Scene,
  work: (maintenance: Scene['app']['backend']['maintenance'], ended: EpochMs) => Promise<unknown>,
): Promise<void> {
  await work(scene.app.backend.maintenance, later(LONG_AGO, YEAR))
}

/** The look-ups and writes of background work. */
export const BACKGROUND_STEPS: readonly Step[] = [
  {
    name: 'clientAuthentication',
    variant: null,
    run: async (scene) => {
      const { client, secret } = scene.service.get()
      const proof = { kind: 'secret', secret: secret?.value ?? '' } as const
      const credentials = { kind: 'client', clientId: client.clientId, proof } as const
      const attempt = { rule: ACCESS, credentials, authenticatedAt: null }
      const result = await scene.app.authorizer.authorize(scene.context({ kind: 'anonymous' }), attempt)
      if (!result.ok) throw new Error(`the sample client was refused with ${result.code}`)
      // The last use of a secret is written later.
      await scene.app.flush()
    },
  },
  {
    name: 'clientAuthentication',
    variant: 'a wrong secret',
    run: async (scene) => {
      const { clientId } = scene.service.get().client
      const credentials = { kind: 'client', clientId, proof: { kind: 'secret', secret: uuidV7() } } as const
      const attempt = { rule: ACCESS, credentials, authenticatedAt: null }
      const result = await scene.app.authorizer.authorize(scene.context({ kind: 'anonymous' }), attempt)
      if (result.ok) throw new Error('a wrong secret was taken for right')
      // The record of a failure is written in the background. A later append waits for it.
      await scene.app.backend.append(scene.context({ kind: 'anonymous' }), () => undefined)
    },
  },
  {
    name: 'keyReferences',
    variant: null,
    run: async (scene) => void (await keyReferences(scene.app.backend, scene.log)),
  },
  {
    name: 'lease',
    variant: null,
    run: (scene) =>
      inMaintenance(scene, (maintenance) =>
        maintenance.acquireLease(uuidV7(), uuidV7(), scene.now, later(scene.now, LEASE)),
      ),
  },
  {
    name: 'eraseReplays',
    variant: null,
    prepare: longAgo,
    run: (scene) => inMaintenance(scene, (maintenance, ended) => maintenance.eraseReplays(ended, BATCH)),
  },
  ...PURGE_KINDS.flatMap((kind) => [
    {
      name: 'purgeBacklog',
      variant: kind,
      run: (scene: Scene) =>
        inMaintenance(scene, (maintenance, ended) => maintenance.backlog(kind, ended, MOST_COUNTED)),
    },
    {
      name: 'purge',
      variant: kind,
      run: (scene: Scene) => inMaintenance(scene, (maintenance, ended) => maintenance.purge(kind, ended, BATCH)),
    },
  ]),
]

import {
  approveDeviceAuthorization,
  denyDeviceAuthorization,
  getDeviceAuthorization,
} from '../../flows/devices/decide-device-authorization.ts'
import { redeemDeviceCode, watchedDeviceState } from '../../flows/devices/redeem-device-code.ts'
import { startDeviceAuthorization } from '../../flows/devices/start-device-authorization.ts'
import {
  deactivateUser,
  deleteUser,
  getUser,
  listUsers,
  reactivateUser,
  registerUser,
} from '../../flows/users/manage-users.ts'
import { asClient, type Scene } from './scene.ts'
import { flowStep, queryStep, type Step } from './step.ts'

const externally = (scene: Scene) =>
  ({ userReference: { kind: 'external', externalId: scene.externalId, field: 'external_id' } }) as const
const byId = (scene: Scene) =>
  ({ userReference: { kind: 'user', userId: scene.user.get().userId }, etag: null }) as const
const registering = (scene: Scene) => ({ ...externally(scene), owner: null, adopt: false, etag: null, active: true })

/** Registers the user of the other steps. */
export const USER_STEPS: readonly Step[] = [
  flowStep(registerUser, { input: registering, keep: (scene, user) => scene.user.set(user) }),
  flowStep(registerUser, {
    variant: 'managed by a configuration from now on',
    input: (scene) => ({ ...registering(scene), owner: 'samples' }),
  }),
  queryStep(getUser, { input: byId }),
  queryStep(getUser, { variant: 'by external id', input: externally }),
  queryStep(listUsers, {
    input: () => ({ filter: { active: null, owner: null }, pageSize: 0, pageToken: '' }),
  }),
  queryStep(listUsers, {
    variant: 'active ones',
    input: () => ({ filter: { active: true, owner: null }, pageSize: 0, pageToken: '' }),
  }),
  queryStep(listUsers, {
    variant: 'managed by one configuration',
    input: () => ({ filter: { active: null, owner: 'samples' }, pageSize: 0, pageToken: '' }),
  }),
  flowStep(deactivateUser, { input: byId }),
  flowStep(reactivateUser, { input: byId }),
]

export const LAST_USER_STEPS: readonly Step[] = [flowStep(deleteUser, { input: byId })]

const device = (scene: Scene) => asClient(scene.device.get().client)
const typed = (scene: Scene) => ({ typedCode: scene.started.get().userCode, attemptKey: null })
const presented = (scene: Scene) => ({ presentedCode: scene.started.get().deviceCode, requestedAudiences: [] })

export const startStep = flowStep(startDeviceAuthorization, {
  caller: device,
  input: () => ({ requestedScopes: [], requestedAudiences: [] }),
  keep: (scene, started) => scene.started.set(started),
})

export const DEVICE_STEPS: readonly Step[] = [
  startStep,
  flowStep(startDeviceAuthorization, {
    variant: 'another one is pending',
    caller: device,
    input: () => ({ requestedScopes: [], requestedAudiences: [] }),
  }),
  queryStep(watchedDeviceState, { caller: device, input: presented }),
  flowStep(redeemDeviceCode, {
    variant: 'a poll before the decision',
    caller: device,
    input: presented,
    refusedWith: 'oauth.device.authorization_pending',
  }),
  queryStep(getDeviceAuthorization, { input: typed }),
  flowStep(approveDeviceAuthorization, {
    input: (scene) => ({ ...typed(scene), ...externally(scene), requestedScopes: [] }),
  }),
  flowStep(redeemDeviceCode, { caller: device, input: presented }),
  flowStep(denyDeviceAuthorization, { prepare: startStep.run, input: typed }),
]

import { constantFrom, nat, record } from 'fast-check'
import { expect } from 'vitest'
import type { ErrorCode } from '../../../src/errors/registry.ts'
import { DeviceAuthorizationState, DeviceService } from '../../../src/gen/qscope/v1/device_service_pb.ts'
import type { MDevice, MUser } from '../entities.ts'
import { remember } from '../issue.ts'
import {
  audiencesOf,
  authentication,
  compare,
  firstOf,
  pick,
  pickClient,
  pickLikely,
  proofOf,
  rarely,
  someAudiences,
  someScopes,
  step,
  when,
  which,
} from '../step.ts'
import type { System } from '../system.ts'
import { isWithin, stands, type World } from '../world.ts'
import { grantOf, lossesOf, reachOf } from './codes.ts'
import { chooseUser, refusalsFor, someUser, type UserChoice, userOf } from './users.ts'

const {
  approveDeviceAuthorization,
  denyDeviceAuthorization,
  getDeviceAuthorization,
  redeemDeviceCode,
  startDeviceAuthorization,
} = DeviceService.method

const SLOW_DOWN_MS = 5_000
const STATES = {
  pending: DeviceAuthorizationState.PENDING,
  approved: DeviceAuthorizationState.APPROVED,
  denied: DeviceAuthorizationState.DENIED,
  redeemed: DeviceAuthorizationState.REDEEMED,
} as const

/** RFC 8628 §3.1. */
async function begin(
  world: World,
  system: System,
  {
    index,
    wrong,
    scopes,
    audiences: indexes,
  }: { index: number; wrong: boolean; scopes: string[]; audiences: number[] },
): Promise<void> {
  const client = pickClient(world, index, 'device_code')
  if (client === null) return
  const { profile } = client
  const audiences = audiencesOf(world, indexes)
  const answer = await system.call(startDeviceAuthorization, { client: proofOf(client, wrong), scopes, audiences })
  const started = compare(
    answer,
    firstOf(authentication(client, wrong), when(!profile.grants.includes('device_code'), 'oauth.unauthorized_client'), [
      ...when(!isWithin(scopes, profile.scopes), 'oauth.invalid_scope'),
      ...when(!isWithin(audiences, profile.audiences), 'oauth.invalid_target'),
      ...when(
        audiences.some((audience) => world.isClosed(audience)),
        'oauth.invalid_target',
      ),
    ]),
  )
  if (started === null) return
  expect(started.userCode).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  expect(Number(started.interval?.seconds) * 1_000).toBe(profile.pollInterval)
  world.devices.push({
    deviceCode: started.deviceCode,
    userCode: started.userCode,
    client,
    clientGeneration: client.generation,
    scopes: scopes.length > 0 ? scopes : profile.scopes,
    audiences,
    expiresAt: world.endAfter(profile.deviceTtl),
    decision: 'pending',
    interval: profile.pollInterval,
    lastPolledAt: null,
    grant: null,
    gone: false,
  })
  world.record(client, 'device.started')
}

const start = step(
  'startDevice',
  record({ index: which, wrong: rarely, scopes: someScopes, audiences: someAudiences }),
  begin,
)

/** Whether the client of the device is still enabled, and its tokens were not revoked since. */
function isClientIn({ client, clientGeneration }: MDevice): boolean {
  return stands(client, clientGeneration)
}

/** RFC 8628 §3.3: unknown and expired user codes are not found. */
function visibility(world: World, device: MDevice): { refusals: ErrorCode[]; mayRefuse: ErrorCode[] } {
  const isOpen = device.decision === 'pending' || device.decision === 'approved'
  const expired = world.now >= device.expiresAt
  const isOut = !isClientIn(device)
  return {
    refusals: when(expired || (isOut && isOpen), 'resource.not_found'),
    // The rules allow both answers for a decided authorization of a disabled client.
    mayRefuse: when(isOut && !isOpen, 'resource.not_found'),
  }
}

/** A user code as users type it: case, spaces and dash are ignored. */
const typed = constantFrom(
  (code: string) => code,
  (code: string) => code.toLowerCase().replace('-', ' '),
  (code: string) => code.replace('-', ''),
).map((how) => Object.assign(how, { toJSON: () => String(how) }))

const look = step('getDevice', record({ index: which, typed }), async (world, system, { index, typed: how }) => {
  const device = pick(world.devices, index)
  if (device === null) return
  const request = { userCode: how(device.userCode), attemptKey: `step-${world.steps}` }
  const answer = await system.call(getDeviceAuthorization, request)
  const { refusals, mayRefuse } = visibility(world, device)
  const seen = compare(answer, refusals, mayRefuse)?.deviceAuthorization
  if (seen === undefined) return
  expect(seen.state).toBe(STATES[device.decision])
  expect(seen.clientId).toBe(device.client.clientId)
  expect(new Set(seen.scopes)).toEqual(new Set(device.scopes))
})

/** The same decision again: by the same user, for the same scopes. */
function isDecisionOf({ grant, scopes }: MDevice, user: MUser | null, asked: readonly string[]): boolean {
  if (grant === null || grant.gone || grant.user !== user) return false
  const wanted = new Set(asked.length > 0 ? asked : scopes)
  return wanted.size === new Set(grant.scopes).size && grant.scopes.every((scope) => wanted.has(scope))
}

async function consent(
  world: World,
  system: System,
  {
    index,
    typed: how,
    user: choice,
    scopes,
  }: { index: number; typed: (code: string) => string; user: UserChoice; scopes: string[] },
): Promise<void> {
  const device = pickLikely(world.devices, index, ({ decision }) => decision === 'pending')
  if (device === null) return
  const chosen = chooseUser(world, choice)
  const answer = await system.call(approveDeviceAuthorization, {
    userCode: how(device.userCode),
    attemptKey: `step-${world.steps}`,
    user: { id: chosen.reference },
    scopes,
  })
  const { refusals, mayRefuse } = visibility(world, device)
  const inRequest = [...when(!isWithin(scopes, device.scopes), 'oauth.invalid_scope'), ...refusalsFor(chosen)]
  const isPending = device.decision === 'pending'
  const approved = compare(
    answer,
    firstOf(refusals, inRequest, when(!isPending && !isDecisionOf(device, chosen.user, scopes), 'resource.conflict')),
    mayRefuse,
  )
  if (approved === null || !isPending) return
  const user = await userOf(world, system, chosen)
  device.decision = 'approved'
  device.grant = grantOf(world, device.client, user, {
    scopes: scopes.length > 0 ? scopes : device.scopes,
    audiences: device.audiences,
    until: device.expiresAt,
  })
  world.record(device.client, 'device.approved')
}

const approve = step('approve', record({ index: which, typed, user: someUser, scopes: someScopes }), consent)

const deny = step('deny', record({ index: which, typed }), async (world, system, { index, typed: how }) => {
  const device = pick(world.devices, index)
  if (device === null) return
  const request = { userCode: how(device.userCode), attemptKey: `step-${world.steps}` }
  const answer = await system.call(denyDeviceAuthorization, request)
  const { refusals, mayRefuse } = visibility(world, device)
  const decided = device.decision === 'approved' || device.decision === 'redeemed'
  if (compare(answer, firstOf(refusals, when(decided, 'resource.conflict')), mayRefuse) === null) return
  if (device.decision === 'pending') world.record(device.client, 'device.denied')
  device.decision = 'denied'
})

/** An unknown user code is not found. */
const mistype = step('mistype', which, async (world, system, index) => {
  const userCode = ['BBBB-BBBB', 'ZZZZ-ZZZZ', 'aaaa', 'QQQQ QQQQ'][index % 4] ?? ''
  const answer = await system.call(getDeviceAuthorization, { userCode, attemptKey: `step-${world.steps}` })
  const malformed = userCode.length !== 9
  compare(answer, [malformed ? 'oauth.invalid_request' : 'resource.not_found'])
})

/** RFC 8628 §3.4, §3.5: the answer to a poll by the client of the device. */
function judge(world: World, device: MDevice): { refusals: ErrorCode[]; interval: number | null } {
  const { decision, grant, lastPolledAt, interval } = device
  const answer = (refusals: ErrorCode[], next: number | null = null) => ({ refusals, interval: next })
  // Purged ones have expired.
  if (decision === 'redeemed' || device.gone) return answer(['oauth.invalid_grant'])
  if (decision === 'denied') return answer(['oauth.device.access_denied'])
  if (world.now >= device.expiresAt) return answer(['oauth.device.expired_token'])
  // Ended with its client; the rules allow both errors.
  if (!isClientIn(device)) return answer(['oauth.device.expired_token', 'oauth.invalid_grant'])
  if (decision === 'approved') {
    return answer(grant !== null && world.grantStands(grant) ? lossesOf(grant, world) : ['oauth.invalid_grant'])
  }
  const tooFast = lastPolledAt !== null && world.now < lastPolledAt + interval
  return tooFast
    ? answer(['oauth.device.slow_down'], interval + SLOW_DOWN_MS)
    : answer(['oauth.device.authorization_pending'], interval)
}

async function redeem(
  world: World,
  system: System,
  { index, by, other, wrong }: { index: number; by: 'owner' | 'other'; other: number; wrong: boolean },
): Promise<void> {
  const device = pickLikely(world.devices, index, ({ decision }) => decision !== 'denied' && decision !== 'redeemed')
  const client = by === 'owner' ? device?.client : pick(world.clients, other)
  if (device === null || client === null || client === undefined) return
  const answer = await system.call(redeemDeviceCode, {
    client: proofOf(client, wrong),
    deviceCode: device.deviceCode,
  })
  const turnedAway = firstOf(
    authentication(client, wrong),
    when(!client.profile.grants.includes('device_code'), 'oauth.unauthorized_client'),
    when(client !== device.client, 'oauth.invalid_grant'),
  )
  if (turnedAway.length > 0) return void compare(answer, turnedAway)
  const { refusals, interval } = judge(world, device)
  const redeemed = compare(answer, refusals)
  if (!answer.ok && interval !== null) {
    expect(answer.details.retryAfterMs).toBe(interval)
    device.interval = interval
    device.lastPolledAt = world.now
  }
  const { grant } = device
  if (redeemed === null || grant === null) return
  device.decision = 'redeemed'
  world.record(client, 'token.issued', 'device.redeemed')
  await remember(world, system, { ...reachOf(grant, world), grant }, redeemed.token)
}

const poll = step(
  'poll',
  record({
    index: which,
    by: constantFrom<'owner' | 'other'>('owner', 'owner', 'owner', 'owner', 'owner', 'owner', 'other'),
    other: which,
    wrong: rarely,
  }),
  redeem,
)

/** A device gets its tokens, without an error of the client. */
const connect = step('connect', record({ index: nat(2), user: someUser }), async (world, system, { index, user }) => {
  const before = world.devices.length
  await begin(world, system, { index, wrong: false, scopes: [], audiences: [] })
  if (world.devices.length === before) return
  await consent(world, system, { index: 0, typed: (code) => code, user, scopes: [] })
  await redeem(world, system, { index: 0, by: 'owner', other: 0, wrong: false })
})

export const deviceSteps = [start, start, look, approve, approve, deny, mistype, poll, poll, poll, connect, connect]

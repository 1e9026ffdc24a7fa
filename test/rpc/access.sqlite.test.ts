import { describe, expect, it } from 'vitest'
import { epochMs } from '../../src/domain/ids.ts'
import { Authorization } from '../../src/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { success } from '../../src/results.ts'
import { Pipeline } from '../../src/rpc/pipeline.ts'
import { route } from '../../src/rpc/routes.ts'
import { openHarness } from '../transports/grpc/harness.ts'
import { unaryProbe } from '../transports/grpc/test-service.ts'

const { authorizer } = await openHarness()

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

function build(rule: Parameters<typeof unaryProbe>[0]) {
  const routes = route(unaryProbe(rule), { try: async () => success({}) })
  return new Pipeline({ routes, authorizer, log: silent, now: () => epochMs(0), isDraining: () => false })
}

describe('a method', () => {
  it.each([
    ['without an access option', null, /\/qscope\.test\.Probe\/Try lacks the option/],
    ['that lets nobody in', {}, /Probe\/Try.*nobody/],
    ['open to anyone and closed', { anyone: true, permission: 'qscope:tokens.read' }, /Probe\/Try.*anyone/],
    ['with an unknown permission', { permission: 'qscope:everything' }, /Probe\/Try.*qscope:everything/],
  ])('%s prevents the start', (_what, rule, message) => {
    expect(() => build(rule)).toThrow(message)
  })

  it.each([true, false])('whose options disagree about idempotency (%s) prevents the start', (said) => {
    const routes = route(unaryProbe({ anyone: true, idempotent: said }, !said), { try: async () => success({}) })
    const options = { routes, authorizer, log: silent, now: () => epochMs(0), isDraining: () => false }
    expect(() => new Pipeline(options)).toThrow(/Probe\/Try.*idempotent/)
  })

  it('that is exempt from the option, and open to every peer, prevents the start', () => {
    const routes = route(Authorization, { check: async () => success({}) })
    const options = { routes, authorizer, log: silent, now: () => epochMs(0), isDraining: () => false }
    expect(() => new Pipeline(options)).toThrow(/Authorization\/Check.*which peers/)
  })

  it.each([
    [{ anyone: true }],
    [{ anyone: true, idempotent: true }],
    [{ anyone: true, clientAuthentication: true }],
    [{ permission: 'qscope:tokens.read', clientAuthentication: true }],
  ])('with %o is accepted', (rule) => {
    expect(() => build(rule)).not.toThrow()
  })
})

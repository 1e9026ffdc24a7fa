import { describe, expect, it } from 'vitest'
import { AuditService } from '../../src/gen/qscope/v1/audit_service_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const { getAuditEvent, listAuditEvents } = AuditService.method

onEveryBackend('AuditService', (server) => {
  const admin = () => ({ bearer: server.admin.token })

  it('records who did what, under the ray id of the call', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['a'] })
    const rayId = server.unique('ray-')
    const sent = { metadata: { 'x-ray-id': rayId } }
    const { token } = await server.call(TokenService.method.mintToken, { client }, sent)
    const [event, ...others] = await server.auditEvents({ rayId })
    expect(others).toEqual([])
    expect(event).toMatchObject({
      eventType: 'token.issued',
      rayId,
      clientId,
      tokenId: token?.tokenId,
      actor: clientId,
      metadata: { scopes: 'a' },
    })
    const found = await server.call(getAuditEvent, { eventId: event?.eventId ?? '' }, admin())
    expect(found.event).toEqual(event)
  })

  it('lists the events of a client, newest first', async () => {
    const { clientId } = await server.registerClient({})
    const { disableClient, enableClient, rotateClientSecret, updateClient, deleteClient } = ClientService.method
    await server.call(disableClient, { clientId }, admin())
    await server.call(enableClient, { clientId }, admin())
    await server.call(rotateClientSecret, { clientId }, admin())
    await server.call(updateClient, { client: { clientId, displayName: 'x' } }, admin())
    await server.call(deleteClient, { clientId }, admin())
    const events = await server.auditEvents({ clientId })
    expect(events.map(({ eventType }) => eventType)).toEqual([
      'client.deleted',
      'client.updated',
      'client.secret_rotated',
      'client.enabled',
      'client.disabled',
      'client.registered',
    ])
  })

  it('records failed authentications, up to a limit, without credentials', async () => {
    const { clientId } = await server.registerClient({})
    const wrong = { clientId, method: { case: 'clientSecret' as const, value: 'a wrong secret' } }
    for (let i = 0; i < 60; i += 1) await refusalOf(server.call(TokenService.method.mintToken, { client: wrong }))
    await server.flush()
    const events = await server.auditEvents({ clientId, eventTypes: ['client.authentication_failed'] })
    expect(events.length).toBeGreaterThan(0)
    expect(events.length).toBeLessThanOrEqual(25)
    expect(events[0]?.actor).toBe('anonymous:127.0.0.1')
    expect(JSON.stringify(events.map(({ metadata }) => metadata))).not.toContain('a wrong secret')
  })

  it('writes nothing else for calls that fail authentication', async () => {
    const rayId = server.unique('ray-')
    const client = { clientId: 'nobody-at-all', method: { case: 'clientSecret' as const, value: 'x' } }
    await refusalOf(server.call(TokenService.method.mintToken, { client }, { metadata: { 'x-ray-id': rayId } }))
    await server.flush()
    const types = (await server.auditEvents({ rayId })).map(({ eventType }) => eventType)
    expect(types.filter((type) => type !== 'client.authentication_failed')).toEqual([])
  })

  describe('filters', () => {
    it('keep a time range: from the start, before the end', async () => {
      const { clientId } = await server.registerClient({})
      server.clock.advance(5_000)
      await server.call(ClientService.method.disableClient, { clientId }, admin())
      const [disabled, registered] = await server.auditEvents({ clientId })
      const from = await server.auditEvents({ clientId, startTime: disabled?.createTime ?? {} })
      expect(from.map(({ eventType }) => eventType)).toEqual(['client.disabled'])
      const until = await server.auditEvents({ clientId, endTime: disabled?.createTime ?? {} })
      expect(until.map(({ eventId }) => eventId)).toEqual([registered?.eventId])
    })

    it('refuse a type that does not exist, and a page token of another filter', async () => {
      const { clientId } = await server.registerClient({})
      await server.call(ClientService.method.disableClient, { clientId }, admin())
      const wrong = await refusalOf(server.call(listAuditEvents, { eventTypes: ['token.minted'] }, admin()))
      expect(wrong).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['event_types[0]'] })
      const { nextPageToken } = await server.call(listAuditEvents, { clientId, pageSize: 1 }, admin())
      const other = await refusalOf(server.call(listAuditEvents, { pageSize: 1, pageToken: nextPageToken }, admin()))
      expect(other.violations).toEqual(['page_token'])
    })
  })

  it('reports a missing event', async () => {
    const eventId = '01890000-0000-7000-8000-000000000000'
    const refused = await refusalOf(server.call(getAuditEvent, { eventId }, admin()))
    expect(refused).toMatchObject({ status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND' })
    expect((await refusalOf(server.call(getAuditEvent, { eventId: 'x' }, admin()))).violations).toEqual(['event_id'])
  })
})

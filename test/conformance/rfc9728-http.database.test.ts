import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { HTTP_PORT } from '../setup/forms.ts'
import type { TestServer } from '../setup/server.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

const suite = (server: TestServer) => {
  /** A request with this host, like one that a proxy of the host forwards. */
  async function ask(host: string, path = '', method = 'GET') {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; type: string; text: string }>()
    const sent = request(`${server.httpUrl}${WELL_KNOWN}${path}`, { method, headers: { host } }, async (answer) =>
      resolve({
        status: answer.statusCode ?? 0,
        type: answer.headers['content-type'] ?? '',
        text: await text(answer),
      }),
    )
    sent.once('error', reject)
    sent.end()
    return await promise
  }
  async function registered(path = '') {
    const host = `${server.unique('orders-')}.example`
    const resource = `https://${host}${path}`
    const { clientId } = await server.registerClient({ resourceAudiences: [resource] })
    return { host, resource, clientId }
  }

  describe('§3.1 the metadata of a resource', () => {
    it('§3.1 is served at the host of the resource, with its path as suffix', async () => {
      for (const path of ['', '/api', '/api/v1?x', '/%61']) {
        const [plain = ''] = path.split('?')
        const { host, resource } = await registered(plain)
        const { status, type, text: body } = await ask(host, path)
        expect([status, type]).toEqual([200, 'application/json'])
        expect(JSON.parse(body).resource).toBe(resource)
      }
    })

    it('§2 names the resource, the issuer of its tokens and the methods to present them', async () => {
      const { host, resource } = await registered()
      expect(JSON.parse((await ask(host)).text)).toEqual({
        resource,
        authorization_servers: [server.issuer],
        bearer_methods_supported: ['header'],
      })
    })

    it('§3.2 is 404 for an unknown host, another path, and the resource of a deleted client', async () => {
      const { host, clientId } = await registered('/api')
      expect((await ask(host, '/api')).status).toBe(200)
      for (const [asked, path] of [
        ['nobody.example', ''],
        [host, ''],
        [host, '/api/'],
        [host, '/API'],
        [host, '/other'],
      ]) {
        const { status, text: body } = await ask(asked ?? '', path)
        expect([status, JSON.parse(body).error]).toEqual([404, 'invalid_request'])
      }
      await server.call(ClientService.method.deleteClient, { clientId }, { bearer: server.admin.token })
      expect((await ask(host, '/api')).status).toBe(404)
    })

    it('§1.2 exists for https URLs only, and does not reveal which clients exist or are disabled', async () => {
      const { host, resource, clientId } = await registered()
      await server.call(ClientService.method.disableClient, { clientId }, { bearer: server.admin.token })
      expect((await ask(host)).status).toBe(200)
      const plain = resource.replace('https:', 'http:')
      await server.registerClient({ resourceAudiences: [plain, 'stock'] })
      for (const other of [clientId, 'stock', plain]) {
        const { getProtectedResourceMetadata } = TokenService.method
        const refused = await refusalOf(server.call(getProtectedResourceMetadata, { resource: other }))
        expect(refused.reason).toBe('RESOURCE_NOT_FOUND')
      }
    })

    it('§3.1 refuses POST', async () => {
      const { host } = await registered()
      expect((await ask(host, '', 'POST')).status).toBe(405)
    })

    it('§3.3 is returned over gRPC only for exactly the requested resource', async () => {
      const { resource } = await registered('/api')
      const answer = await server.call(TokenService.method.getProtectedResourceMetadata, { resource })
      expect(answer).toMatchObject({ resource, authorizationServers: [server.issuer] })
      const { getProtectedResourceMetadata } = TokenService.method
      for (const other of [`${resource}/`, resource.toUpperCase(), 'x'.repeat(200)]) {
        const refused = await refusalOf(server.call(getProtectedResourceMetadata, { resource: other }))
        expect(refused.reason).toBe('RESOURCE_NOT_FOUND')
      }
    })
  })
}

onEveryBackend('RFC 9728', suite, { variables: HTTP_PORT })

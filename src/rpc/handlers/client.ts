import { clientId, milliseconds, secretId } from '../../domain/ids.ts'
import { listClientSecrets, revokeClientSecret, rotateClientSecret } from '../../flows/clients/client-secrets.ts'
import {
  deleteClient,
  disableClient,
  enableClient,
  getClient,
  listClients,
} from '../../flows/clients/manage-clients.ts'
import { drawClientId, registerClient } from '../../flows/clients/register-client.ts'
import { updateClient } from '../../flows/clients/update-client.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { ClientService } from '../../gen/qscope/v1/client_service_pb.ts'
import { mapResult } from '../../results.ts'
import { fromClientType, fromRegisterClient, toClient, toClientSecretInfo } from '../convert/client.ts'
import { fromUpdateClient } from '../convert/client-update.ts'
import { fromDuration } from '../convert/time.ts'
import type { ServiceHandlers } from '../routes.ts'

export function clientHandlers(runner: FlowRunner): ServiceHandlers<typeof ClientService> {
  return {
    async registerClient(ctx, request) {
      const registration = fromRegisterClient(request, drawClientId)
      return mapResult(await runner.execute(registerClient, ctx, { registration }), ({ client, secret }) => ({
        client: toClient(client),
        clientSecret: secret?.value ?? '',
      }))
    },
    async getClient(ctx, request) {
      const found = await runner.query(getClient, ctx, { clientId: clientId(request.clientId) })
      return mapResult(found, (client) => ({ client: toClient(client) }))
    },
    async listClients(ctx, { pageSize, pageToken, enabled, type, clientIdPrefix }) {
      const filter = { enabled: enabled ?? null, type: fromClientType(type), idPrefix: clientIdPrefix || null }
      return mapResult(
        await runner.query(listClients, ctx, { filter, pageSize, pageToken }),
        ({ items, nextPageToken }) => ({
          clients: items.map(toClient),
          nextPageToken,
        }),
      )
    },
    async updateClient(ctx, request) {
      const update = fromUpdateClient(request)
      if (!update.ok) return update
      return mapResult(await runner.execute(updateClient, ctx, update.value), (client) => ({
        client: toClient(client),
      }))
    },
    async deleteClient(ctx, request) {
      return mapResult(await runner.execute(deleteClient, ctx, { clientId: clientId(request.clientId) }), () => ({}))
    },
    async enableClient(ctx, request) {
      const enabled = await runner.execute(enableClient, ctx, { clientId: clientId(request.clientId) })
      return mapResult(enabled, (client) => ({ client: toClient(client) }))
    },
    async disableClient(ctx, request) {
      const disabled = await runner.execute(disableClient, ctx, { clientId: clientId(request.clientId) })
      return mapResult(disabled, (client) => ({ client: toClient(client) }))
    },
    async rotateClientSecret(ctx, request) {
      const overlap = request.overlap === undefined ? milliseconds(0) : fromDuration(request.overlap)
      const rotated = await runner.execute(rotateClientSecret, ctx, { clientId: clientId(request.clientId), overlap })
      return mapResult(rotated, ({ value, stored }) => ({ clientSecret: value, secretId: stored.secretId }))
    },
    async listClientSecrets(ctx, request) {
      const listed = await runner.query(listClientSecrets, ctx, { clientId: clientId(request.clientId) })
      return mapResult(listed, (secrets) => ({ secrets: secrets.map(toClientSecretInfo) }))
    },
    async revokeClientSecret(ctx, request) {
      const named = { clientId: clientId(request.clientId), secretId: secretId(request.secretId) }
      return mapResult(await runner.execute(revokeClientSecret, ctx, named), () => ({}))
    },
  }
}

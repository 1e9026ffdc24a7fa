import type { CallContext } from '../../context.ts'
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
import type { AnswerOf, RequestOf, ServiceHandlers } from '../routes.ts'

type Methods = typeof ClientService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends keyof Methods> = AnswerOf<Methods[Name]>

export class ClientHandlers implements ServiceHandlers<typeof ClientService> {
  readonly #runner: FlowRunner

  constructor(runner: FlowRunner) {
    this.#runner = runner
  }

  async registerClient(ctx: CallContext, request: Request<'registerClient'>): Answer<'registerClient'> {
    const registration = fromRegisterClient(request, drawClientId)
    return mapResult(await this.#runner.execute(registerClient, ctx, { registration }), ({ client, secret }) => ({
      client: toClient(client),
      clientSecret: secret?.value ?? '',
    }))
  }

  async getClient(ctx: CallContext, request: Request<'getClient'>): Answer<'getClient'> {
    const found = await this.#runner.query(getClient, ctx, { clientId: clientId(request.clientId) })
    return mapResult(found, (client) => ({ client: toClient(client) }))
  }

  async listClients(
    ctx: CallContext,
    { pageSize, pageToken, enabled, type, clientIdPrefix }: Request<'listClients'>,
  ): Answer<'listClients'> {
    const filter = { enabled: enabled ?? null, type: fromClientType(type), idPrefix: clientIdPrefix || null }
    return mapResult(
      await this.#runner.query(listClients, ctx, { filter, pageSize, pageToken }),
      ({ items, nextPageToken }) => ({
        clients: items.map(toClient),
        nextPageToken,
      }),
    )
  }

  async updateClient(ctx: CallContext, request: Request<'updateClient'>): Answer<'updateClient'> {
    const update = fromUpdateClient(request)
    if (!update.ok) return update
    return mapResult(await this.#runner.execute(updateClient, ctx, update.value), (client) => ({
      client: toClient(client),
    }))
  }

  async deleteClient(ctx: CallContext, request: Request<'deleteClient'>): Answer<'deleteClient'> {
    return mapResult(
      await this.#runner.execute(deleteClient, ctx, { clientId: clientId(request.clientId) }),
      () => ({}),
    )
  }

  async enableClient(ctx: CallContext, request: Request<'enableClient'>): Answer<'enableClient'> {
    const enabled = await this.#runner.execute(enableClient, ctx, { clientId: clientId(request.clientId) })
    return mapResult(enabled, (client) => ({ client: toClient(client) }))
  }

  async disableClient(ctx: CallContext, request: Request<'disableClient'>): Answer<'disableClient'> {
    const disabled = await this.#runner.execute(disableClient, ctx, { clientId: clientId(request.clientId) })
    return mapResult(disabled, (client) => ({ client: toClient(client) }))
  }

  async rotateClientSecret(ctx: CallContext, request: Request<'rotateClientSecret'>): Answer<'rotateClientSecret'> {
    const overlap = request.overlap === undefined ? milliseconds(0) : fromDuration(request.overlap)
    const rotated = await this.#runner.execute(rotateClientSecret, ctx, {
      clientId: clientId(request.clientId),
      overlap,
    })
    return mapResult(rotated, ({ value, stored }) => ({ clientSecret: value, secretId: stored.secretId }))
  }

  async listClientSecrets(ctx: CallContext, request: Request<'listClientSecrets'>): Answer<'listClientSecrets'> {
    const listed = await this.#runner.query(listClientSecrets, ctx, { clientId: clientId(request.clientId) })
    return mapResult(listed, (secrets) => ({ secrets: secrets.map(toClientSecretInfo) }))
  }

  async revokeClientSecret(ctx: CallContext, request: Request<'revokeClientSecret'>): Answer<'revokeClientSecret'> {
    const named = { clientId: clientId(request.clientId), secretId: secretId(request.secretId) }
    return mapResult(await this.#runner.execute(revokeClientSecret, ctx, named), () => ({}))
  }
}

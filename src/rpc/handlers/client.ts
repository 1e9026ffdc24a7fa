import type { CallContext } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import { clientId, milliseconds, secretId } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import { listClientSecrets, revokeClientSecret, rotateClientSecret } from '../../flows/clients/client-secrets.ts'
import {
  deleteClient,
  disableClient,
  enableClient,
  getClient,
  listClients,
} from '../../flows/clients/manage-clients.ts'
import { drawClientId, registerClient } from '../../flows/clients/register-client.ts'
import { rotateOwnSecret } from '../../flows/clients/rotate-own-secret.ts'
import { updateClient } from '../../flows/clients/update-client.ts'
import type { Flow } from '../../flows/flow.ts'
import { explainMint } from '../../flows/grants/explain-mint.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { ClientService } from '../../gen/qscope/v1/client_service_pb.ts'
import { invalidRequest, mapResult } from '../../results.ts'
import { fromClientType, fromGrantTypes, fromRegisterClient, toClient, toClientSecretInfo } from '../convert/client.ts'
import { fromUpdateClient } from '../convert/client-update.ts'
import { toExplanation } from '../convert/explanation.ts'
import { fromDuration, toTimestamp } from '../convert/time.ts'
import { fromTokenRequest } from '../convert/token.ts'
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
    const registering = {
      registration,
      importedHashes: distinct(request.importedSecretHashes),
      enabled: request.enabled ?? true,
    }
    if (request.validateOnly) {
      const previewed = await this.#runner.preview(registerClient, ctx, registering)
      return mapResult(previewed, ({ output: { client } }) => ({ client: toUnregistered(client, request) }))
    }
    return mapResult(await this.#runner.execute(registerClient, ctx, registering), ({ client, secret }) => ({
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
    { pageSize, pageToken, enabled, type, clientIdPrefix, owner }: Request<'listClients'>,
  ): Answer<'listClients'> {
    const idPrefix = clientIdPrefix || null
    const filter = { enabled: enabled ?? null, type: fromClientType(type), idPrefix, owner: owner || null }
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
    return update.ok ? await this.#change(updateClient, ctx, update.value, request.validateOnly) : update
  }

  async deleteClient(ctx: CallContext, request: Request<'deleteClient'>): Answer<'deleteClient'> {
    const client = named(request)
    return mapResult(
      request.validateOnly
        ? await this.#runner.preview(deleteClient, ctx, client)
        : await this.#runner.execute(deleteClient, ctx, client),
      () => ({}),
    )
  }

  async enableClient(ctx: CallContext, request: Request<'enableClient'>): Answer<'enableClient'> {
    return await this.#change(enableClient, ctx, named(request), request.validateOnly)
  }

  async disableClient(ctx: CallContext, request: Request<'disableClient'>): Answer<'disableClient'> {
    return await this.#change(disableClient, ctx, named(request), request.validateOnly)
  }

  async rotateClientSecret(ctx: CallContext, request: Request<'rotateClientSecret'>): Answer<'rotateClientSecret'> {
    const overlap = request.overlap === undefined ? milliseconds(0) : fromDuration(request.overlap)
    const rotation = { ...named(request), overlap }
    if (request.validateOnly) {
      return mapResult(await this.#runner.preview(rotateClientSecret, ctx, rotation), () => ({}))
    }
    const rotated = await this.#runner.execute(rotateClientSecret, ctx, rotation)
    return mapResult(rotated, ({ value, stored }) => ({ clientSecret: value, secretId: stored.secretId }))
  }

  async rotateOwnSecret(ctx: CallContext, { lifetime }: Request<'rotateOwnSecret'>): Answer<'rotateOwnSecret'> {
    const rotation = { lifetime: lifetime === undefined ? null : fromDuration(lifetime) }
    return mapResult(await this.#runner.execute(rotateOwnSecret, ctx, rotation), ({ value, stored }) => ({
      clientSecret: value,
      secretId: stored.secretId,
      ...(stored.expiresAt !== null && { expireTime: toTimestamp(stored.expiresAt) }),
    }))
  }

  async listClientSecrets(ctx: CallContext, request: Request<'listClientSecrets'>): Answer<'listClientSecrets'> {
    const listed = await this.#runner.query(listClientSecrets, ctx, { clientId: clientId(request.clientId) })
    return mapResult(listed, (secrets) => ({ secrets: secrets.map(toClientSecretInfo) }))
  }

  async revokeClientSecret(ctx: CallContext, request: Request<'revokeClientSecret'>): Answer<'revokeClientSecret'> {
    const named = { clientId: clientId(request.clientId), secretId: secretId(request.secretId) }
    return mapResult(await this.#runner.execute(revokeClientSecret, ctx, named), () => ({}))
  }

  async explainMint(ctx: CallContext, request: Request<'explainMint'>): Answer<'explainMint'> {
    const [grantType] = fromGrantTypes([request.grantType])
    if (grantType === undefined) return invalidRequest('grant_type', 'is required')
    const question = { clientId: clientId(request.clientId), grantType, ...fromTokenRequest(request) }
    return mapResult(await this.#runner.query(explainMint, ctx, question), toExplanation)
  }

  /** Changes a client. A dry run returns the result of the change, with the etag that the real call must name. */
  async #change<Input extends object, Facts extends { readonly client: Client }>(
    flow: Flow<Input, Facts, Client, 'transaction'>,
    ctx: CallContext,
    input: Input,
    validateOnly: boolean,
  ) {
    if (!validateOnly) {
      return mapResult(await this.#runner.execute(flow, ctx, input), (client) => ({ client: toClient(client) }))
    }
    return mapResult(await this.#runner.preview(flow, ctx, input), ({ facts, output }) => ({
      client: toClient({ ...output, version: facts.client.version }),
    }))
  }
}

function named({ clientId: id, etag }: { readonly clientId: string; readonly etag: string }) {
  return { clientId: clientId(id), etag: etag || null }
}

/** The result of a dry run of a registration, without the values that are created at registration. */
function toUnregistered(client: Client, { clientId: wanted = '', displayName = '' }: Request<'registerClient'>) {
  const named = wanted === '' ? { clientId: '', displayName } : {}
  return { ...toClient(client), ...named, etag: '' }
}

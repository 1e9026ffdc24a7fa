import { create, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf'
import {
  AuthenticationMethod,
  type Client,
  ClientSchema,
  ClientType,
  ClientTypeSchema,
} from '../../gen/qscope/v1/client_pb.ts'
import {
  ClientService,
  type RegisterClientRequest,
  RegisterClientRequestSchema,
} from '../../gen/qscope/v1/client_service_pb.ts'
import { CallFailure, type Calls } from '../connection/calls.ts'
import { nameOf } from '../options/options.ts'
import type { Document } from './documents.ts'
import { isAboutDocument, isOutdated, type Kind, orNull, type PruneMode, type Workplace } from './kind.ts'
import { type Action, type Difference, differencesOf, type PlannedChange, UnsoundDocument } from './planned-change.ts'
import { readSpec } from './read-spec.ts'
import type { Delivery, SecretsPlace } from './secrets-directory.ts'

/** A client as a document describes it. */
interface ClientSpec {
  readonly clientId: string
  readonly registration: RegisterClientRequest
  /** `null`: the document does not set it, and it stays unchanged. */
  readonly enabled: boolean | null
}

/** The fields of a client that a document describes, by their names in JSON, and by those of an update mask. */
const FIELDS: Readonly<Record<string, string>> = Object.freeze({
  displayName: 'display_name',
  authenticationMethod: 'authentication_method',
  grantTypes: 'grant_types',
  redirectUris: 'redirect_uris',
  scopes: 'scopes',
  audiences: 'audiences',
  resourceAudiences: 'resource_audiences',
  config: 'config',
  jwks: 'jwks',
  tlsClientSubject: 'tls_client_subject',
  jwksUri: 'jwks_uri',
  federatedIdentities: 'federated_identities',
})

/** Fields that `*` does not update and older servers do not know. They are named only if they are, or were, set. */
const ONLY_BY_NAME = ['jwksUri', 'federatedIdentities'] as const

/** Marked in the contract as possible secrets. */
const HIDDEN: ReadonlySet<string> = new Set(['jwks'])

/** Fields of the request that are not part of a document. */
const NOT_IN_DOCUMENTS = ['owner', 'validateOnly', 'validate_only']

const PAGE_SIZE = 200

/** OAuth clients. */
export const clientKind: Kind<ClientSpec> = Object.freeze<Kind<ClientSpec>>({
  name: 'Client',
  read: readClient,
  nameOf: ({ clientId }) => clientId,
  conflicts: audienceConflicts,
  plan: planClient,
  prune: pruneClients,
  export: exportClients,
})

function readClient({ spec }: Document): ClientSpec {
  const { enabled = null, ...rest } = spec
  if (enabled !== null && typeof enabled !== 'boolean') throw new UnsoundDocument(['enabled must be true or false'])
  const unknown = NOT_IN_DOCUMENTS.filter((member) => member in rest)
  if (unknown.length > 0) throw new UnsoundDocument(unknown.map((member) => `spec has no ${member}`))
  const registration = readSpec(RegisterClientRequestSchema, rest)
  const { clientId } = registration
  if (clientId === undefined || clientId === '') throw new UnsoundDocument(['clientId is missing'])
  return { clientId, registration, enabled }
}

/** The server validates each document against existing clients. Conflicts between documents are found here. */
function audienceConflicts(specs: readonly { readonly place: string; readonly spec: ClientSpec }[]): readonly string[] {
  const owners = new Map(specs.map(({ spec: { clientId } }) => [clientId, clientId]))
  const problems: string[] = []
  for (const { place, spec } of specs) {
    for (const audience of spec.registration.resourceAudiences) {
      const other = owners.get(audience) ?? spec.clientId
      owners.set(audience, other)
      if (other !== spec.clientId) {
        problems.push(
          `${place}: Client ${spec.clientId}: resourceAudiences: ${audience} also belongs to Client ${other}`,
        )
      }
    }
  }
  return problems
}

async function planClient(workplace: Workplace, spec: ClientSpec): Promise<PlannedChange> {
  try {
    const client = await findClient(workplace, spec)
    if (client !== null) return await planUpdate(workplace, spec, client)
    try {
      return await planRegistration(workplace, spec)
    } catch (error) {
      // Another caller has registered it since, or it was deleted long ago.
      const registered = isOutdated(error) ? await findClient(workplace, spec) : null
      if (registered === null) throw error
      return await planUpdate(workplace, spec, registered)
    }
  } catch (error) {
    if (isAboutDocument(error)) throw new UnsoundDocument([error.message])
    throw error
  }
}

async function findClient({ calls }: Workplace, { clientId }: ClientSpec): Promise<Client | null> {
  return (await orNull(calls.call(ClientService.method.getClient, { clientId })))?.client ?? null
}

async function planRegistration(workplace: Workplace, spec: ClientSpec): Promise<PlannedChange> {
  const { calls, owner, secrets } = workplace
  const enabled = spec.enabled ?? true
  const registration = { ...spec.registration, owner, enabled }
  const { client } = await calls.call(ClientService.method.registerClient, { ...registration, validateOnly: true })
  const drawsSecret =
    client?.authenticationMethod === AuthenticationMethod.CLIENT_SECRET &&
    spec.registration.importedSecretHashes.length === 0
  if (drawsSecret) assertNoFile(secrets, spec.clientId)
  return {
    ...named(spec, 'register'),
    differences: [],
    notes: enabled ? [] : ['disabled'],
    drawsSecret,
    apply: async () => {
      const registered = drawsSecret
        ? await deliverSecret(workplace, spec.clientId, async () => {
            const answer = await calls.call(ClientService.method.registerClient, registration)
            return { secret: answer.clientSecret, client: answer.client }
          })
        : await calls.call(ClientService.method.registerClient, registration)
      // An older server ignores it.
      if (!enabled && registered.client?.enabled) await switchTo(calls, registered.client, false)
    },
  }
}

async function planUpdate(workplace: Workplace, spec: ClientSpec, client: Client): Promise<PlannedChange> {
  const { calls, owner, adopt, secrets } = workplace
  // Not the id in the server's answer, because the id is part of file names.
  const { clientId } = spec
  if (client.owner !== '' && client.owner !== owner && !adopt) {
    throw new UnsoundDocument([`it is managed by ${client.owner}, not by ${owner}; --adopt takes it over`])
  }
  if (spec.registration.type !== client.type && spec.registration.type !== ClientType.UNSPECIFIED) {
    throw new UnsoundDocument([`type: it is ${nameOf(ClientTypeSchema, client.type)}, and cannot be changed`])
  }
  const wanted = wantedClient(spec)
  const validated = await calls.call(ClientService.method.updateClient, {
    client: wanted,
    updateMask: { paths: [...comparedPaths(wanted, client)] },
    validateOnly: true,
  })
  const fields = differencesOf(contentOf(client), contentOf(validated.client ?? client), { hidden: HIDDEN })
  const isSwitched = spec.enabled !== null && spec.enabled !== client.enabled
  const differences = [...fields, ...(isSwitched ? [enabledDifference(client.enabled)] : [])]
  const isMarked = client.owner === owner
  const usesSecret = validated.client?.authenticationMethod === AuthenticationMethod.CLIENT_SECRET
  const gainsSecret = usesSecret && client.authenticationMethod !== AuthenticationMethod.CLIENT_SECRET
  const isUndelivered = usesSecret && isMarked && secrets.isPending(clientId)
  if (isUndelivered) await assertUnused(workplace, clientId)
  const drawsSecret = gainsSecret || isUndelivered
  if (drawsSecret) assertNoFile(secrets, clientId)
  const paths = [...maskOf(fields), ...(isMarked ? [] : ['owner'])]
  return {
    ...named(spec, actionOf({ differences, isMarked, isUndelivered })),
    differences,
    notes: [
      ...(isMarked
        ? []
        : [client.owner === '' ? `managed by ${owner} from now on` : `taken over from ${client.owner}`]),
      ...(isUndelivered ? ['its secret was not delivered: another one is created'] : []),
      ...(spec.enabled === null && !client.enabled ? ['disabled; the document does not say whether it should be'] : []),
    ],
    drawsSecret,
    apply: async () => {
      // Disabled first and enabled last, so that no client is enabled before it is as described.
      let current = isSwitched && client.enabled ? await switchTo(calls, client, false) : client
      const update = async () => {
        if (paths.length === 0) return
        const { etag } = current
        const changed = { ...wanted, owner, etag }
        const answer = await calls.call(ClientService.method.updateClient, {
          client: changed,
          updateMask: { paths },
          etag,
          adopt,
        })
        current = answer.client ?? current
      }
      // A concurrent apply may have delivered it since.
      if (!gainsSecret && !(isUndelivered && secrets.isPending(clientId))) await update()
      else {
        // If the update succeeds, a rerun must find that the client has no secret yet.
        await withPlace(workplace, clientId, update)
        await deliverSecret(workplace, clientId, async () => {
          const { etag } = current
          const { clientSecret } = await calls.call(ClientService.method.rotateClientSecret, { clientId, etag })
          return { secret: clientSecret }
        })
      }
      if (isSwitched && !client.enabled) await switchTo(calls, current, true)
    },
  }
}

/** All that a document describes. */
function comparedPaths(wanted: Client, client: Client): readonly string[] {
  const unused = ONLY_BY_NAME.filter((name) => wanted[name].length === 0 && client[name].length === 0)
  return Object.entries(FIELDS).flatMap(([name, path]) => (unused.some((each) => each === name) ? [] : [path]))
}

function actionOf(plan: {
  readonly differences: readonly Difference[]
  readonly isMarked: boolean
  readonly isUndelivered: boolean
}): Action {
  if (plan.differences.length > 0) return 'update'
  if (plan.isUndelivered) return 'rotate'
  return plan.isMarked ? 'none' : 'mark'
}

/** A new secret does not replace one that is in a file. */
function assertNoFile(secrets: SecretsPlace, clientId: string): void {
  const file = secrets.existingFile(clientId)
  if (file === null) return
  throw new UnsoundDocument([`its secret would be written to ${file}, which is there already: move it away`])
}

/** A secret that authenticated the client was delivered, whatever the directory contains. It must not be replaced. */
async function assertUnused({ calls, secrets }: Workplace, clientId: string): Promise<void> {
  const listed = await calls.call(ClientService.method.listClientSecrets, { clientId })
  if (!listed.secrets.some(({ lastUsedTime }) => lastUsedTime !== undefined)) return
  const file = secrets.pendingFile(clientId)
  throw new UnsoundDocument([
    `${file} says that the client's secret was not delivered, but the client has used a secret: remove the file`,
  ])
}

/** Refusals after which no secret was generated. */
const NOTHING_DRAWN = /^(REGISTRATION_|OAUTH_INVALID_|OAUTH_INSUFFICIENT_SCOPE$|RESOURCE_CONFLICT$|RESOURCE_NOT_FOUND$)/

/** Generates a secret after its place was prepared, and writes it there. */
async function deliverSecret<T extends { readonly secret: string }>(
  workplace: Workplace,
  clientId: string,
  draw: () => Promise<T>,
): Promise<T> {
  return await withPlace(workplace, clientId, async (delivery) => {
    const drawn = await draw()
    delivery.deliver(drawn.secret)
    return drawn
  })
}

/** Prepares a place for a secret, then runs the work. The place is removed if the server refused the work. */
async function withPlace<T>(
  { secrets }: Workplace,
  clientId: string,
  work: (delivery: Delivery) => Promise<T>,
): Promise<T> {
  const wasPending = secrets.isPending(clientId)
  const delivery = secrets.prepare(clientId)
  try {
    return await work(delivery)
  } catch (error) {
    const isRefused = error instanceof CallFailure && NOTHING_DRAWN.test(error.refusal.reason ?? '')
    if (isRefused && !wasPending) delivery.withdraw()
    throw error
  }
}

async function switchTo(calls: Calls, client: Client, enabled: boolean): Promise<Client> {
  const { clientId, etag } = client
  const { enableClient, disableClient } = ClientService.method
  const answer = enabled
    ? await calls.call(enableClient, { clientId, etag })
    : await calls.call(disableClient, { clientId, etag })
  return answer.client ?? client
}

function named(spec: ClientSpec, action: Action) {
  return { kind: 'Client', name: spec.clientId, action } as const
}

function enabledDifference(before: boolean): Difference {
  return { field: 'enabled', before, after: !before }
}

/** The client that a document describes. Omitted fields get their defaults. */
function wantedClient({ clientId, registration }: ClientSpec): Client {
  const { displayName = '', jwks = '', jwksUri = '', tlsClientSubject = '', config } = registration
  const { type, authenticationMethod, grantTypes, redirectUris, scopes, audiences, resourceAudiences } = registration
  return create(ClientSchema, {
    ...{ clientId, displayName, jwks, jwksUri, tlsClientSubject, type, authenticationMethod, grantTypes, redirectUris },
    ...{
      scopes,
      audiences,
      resourceAudiences,
      federatedIdentities: registration.federatedIdentities,
      ...(config !== undefined && { config }),
    },
  })
}

/** The fields of a client that a document describes, as JSON. */
function contentOf(client: Client): Readonly<Record<string, JsonValue>> {
  const json = jsonOf(client)
  return Object.fromEntries(Object.keys(FIELDS).flatMap((name) => (name in json ? [[name, json[name] ?? null]] : [])))
}

function jsonOf(client: Client): JsonObject {
  const json = toJson(ClientSchema, client)
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new Error('a message is an object in JSON')
  return json
}

/** The update mask paths of the differences. `config` is replaced as a whole. */
function maskOf(differences: readonly Difference[]): readonly string[] {
  const names = differences.map(({ field }) => field.split('.', 1).join(''))
  return [...new Set(names)].flatMap((name) => FIELDS[name] ?? [])
}

async function pruneClients({ calls, owner }: Workplace, kept: ReadonlySet<string>, mode: PruneMode) {
  let owned = 0
  const changes: PlannedChange[] = []
  for await (const client of listClients(calls, owner)) {
    owned += 1
    const { clientId, etag } = client
    if (kept.has(clientId) || (mode === 'disable' && !client.enabled)) continue
    const end = async (validateOnly: boolean) => {
      const request = { clientId, etag, validateOnly }
      if (mode === 'disable') await calls.call(ClientService.method.disableClient, request)
      else await calls.call(ClientService.method.deleteClient, request)
    }
    await end(true)
    changes.push({
      kind: 'Client',
      name: clientId,
      action: mode,
      differences: [],
      notes: ['no document describes it'],
      apply: () => end(false),
    })
  }
  return { owned, changes }
}

async function* listClients(calls: Calls, owner: string): AsyncGenerator<Client> {
  let pageToken = ''
  do {
    const page = await calls.call(ClientService.method.listClients, { owner, pageToken, pageSize: PAGE_SIZE })
    yield* page.clients
    pageToken = page.nextPageToken
  } while (pageToken !== '')
}

async function* exportClients(
  calls: Calls,
  owner: string,
): AsyncGenerator<{ readonly name: string; readonly spec: JsonObject }> {
  for await (const client of listClients(calls, owner)) {
    const { clientId = '', type = '' } = jsonOf(client)
    const switched = client.enabled ? {} : { enabled: false }
    yield { name: client.clientId, spec: { clientId, type, ...contentOf(client), ...switched } }
  }
}

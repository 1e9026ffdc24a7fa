import { create, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf'
import {
  type TrustedIssuer,
  TrustedIssuerKind,
  TrustedIssuerKindSchema,
  TrustedIssuerSchema,
  TrustService,
} from '../../gen/qscope/v1/trust_service_pb.ts'
import type { Calls } from '../connection/calls.ts'
import { nameOf } from '../options/options.ts'
import type { Document } from './documents.ts'
import { isAboutDocument, type Kind, orNull, type PruneMode, type Workplace } from './kind.ts'
import { type Action, type Difference, differencesOf, type PlannedChange, UnsoundDocument } from './planned-change.ts'
import { readSpec } from './read-spec.ts'

/** A trusted issuer as a document describes it. */
interface IssuerSpec {
  readonly issuer: TrustedIssuer
}

/** The fields of an issuer that a document describes, by their names in JSON, and by those of an update mask. */
const FIELDS: Readonly<Record<string, string>> = Object.freeze({
  displayName: 'display_name',
  jwks: 'jwks',
  jwksUri: 'jwks_uri',
  discovery: 'discovery',
  caCertificates: 'ca_certificates',
  audience: 'audience',
  singleUse: 'single_use',
  maxLifetime: 'max_lifetime',
  rules: 'rules',
})

/** Only one of them can be set. Setting one clears the others. */
const KEYS: ReadonlySet<string> = new Set(['jwks', 'jwks_uri', 'discovery'])

/** Fields that identify the issuer and cannot be changed. */
const FIXED = Object.freeze(['issuer', 'kind', 'trustDomain'])

/** Marked in the contract as possible secrets. */
const HIDDEN: ReadonlySet<string> = new Set(['jwks'])
/** The order is significant: the first rule that applies is used. */
const ORDERED: ReadonlySet<string> = new Set(['rules'])

const NOT_IN_DOCUMENTS = Object.freeze([
  ...['owner', 'etag', 'createTime', 'create_time', 'createdBy', 'created_by'],
  ...['updateTime', 'update_time', 'updatedBy', 'updated_by', 'readOnly', 'read_only'],
])

const PAGE_SIZE = 200

/** Issuers whose assertions are accepted for clients. */
export const trustedIssuerKind: Kind<IssuerSpec> = Object.freeze<Kind<IssuerSpec>>({
  name: 'TrustedIssuer',
  read: readIssuer,
  nameOf: ({ issuer }) => issuer.issuer,
  conflicts: () => [],
  plan: planIssuer,
  prune: pruneIssuers,
  export: exportIssuers,
})

function readIssuer({ spec }: Document): IssuerSpec {
  const unknown = NOT_IN_DOCUMENTS.filter((member) => member in spec)
  if (unknown.length > 0) throw new UnsoundDocument(unknown.map((member) => `spec has no ${member}`))
  const issuer = readSpec(TrustedIssuerSchema, spec)
  if (issuer.issuer === '') throw new UnsoundDocument(['issuer is missing'])
  return { issuer }
}

async function planIssuer(workplace: Workplace, spec: IssuerSpec): Promise<PlannedChange> {
  try {
    const { issuer } = spec.issuer
    const answer = await orNull(workplace.calls.call(TrustService.method.getTrustedIssuer, { issuer }))
    const found = answer?.trustedIssuer ?? null
    return found === null ? await planCreation(workplace, spec) : await planUpdate(workplace, spec, found)
  } catch (error) {
    if (isAboutDocument(error)) throw new UnsoundDocument([error.message])
    throw error
  }
}

async function planCreation({ calls, owner }: Workplace, { issuer }: IssuerSpec): Promise<PlannedChange> {
  const request = { trustedIssuer: { ...issuer, owner } }
  await calls.call(TrustService.method.createTrustedIssuer, { ...request, validateOnly: true })
  return {
    ...{ kind: 'TrustedIssuer', name: issuer.issuer, action: 'register' },
    differences: [],
    notes: [],
    apply: async () => {
      await calls.call(TrustService.method.createTrustedIssuer, request)
    },
  }
}

async function planUpdate(
  { calls, owner, adopt }: Workplace,
  { issuer: wanted }: IssuerSpec,
  found: TrustedIssuer,
): Promise<PlannedChange> {
  if (found.readOnly) throw new UnsoundDocument(['it is in QSCOPE_TRUSTED_ISSUERS_FILE of the server: change it there'])
  if (found.owner !== '' && found.owner !== owner && !adopt) {
    throw new UnsoundDocument([`it is managed by ${found.owner}, not by ${owner}; --adopt takes it over`])
  }
  assertSameKind(wanted, found)
  const validated = await calls.call(TrustService.method.updateTrustedIssuer, {
    trustedIssuer: wanted,
    updateMask: { paths: ['*'] },
    validateOnly: true,
  })
  const after = validated.trustedIssuer ?? found
  const differences = differencesOf(contentOf(found), contentOf(after), { hidden: HIDDEN, ordered: ORDERED })
  const isMarked = found.owner === owner
  const paths = [...maskOf(differences, contentOf(after)), ...(isMarked ? [] : ['owner'])]
  return {
    kind: 'TrustedIssuer',
    name: found.issuer,
    action: actionOf(differences, isMarked),
    differences,
    notes: isMarked ? [] : [found.owner === '' ? `managed by ${owner} from now on` : `taken over from ${found.owner}`],
    apply: async () => {
      if (paths.length === 0) return
      await calls.call(TrustService.method.updateTrustedIssuer, {
        trustedIssuer: create(TrustedIssuerSchema, { ...wanted, owner, etag: found.etag }),
        updateMask: { paths },
        adopt,
      })
    },
  }
}

function assertSameKind(wanted: TrustedIssuer, found: TrustedIssuer): void {
  const kind = wanted.kind === TrustedIssuerKind.UNSPECIFIED ? TrustedIssuerKind.JWT : wanted.kind
  if (kind !== found.kind) {
    throw new UnsoundDocument([`kind: it is ${nameOf(TrustedIssuerKindSchema, found.kind)}, and cannot be changed`])
  }
  if (wanted.trustDomain !== '' && wanted.trustDomain !== found.trustDomain) {
    throw new UnsoundDocument([`trustDomain: it is ${found.trustDomain}, and cannot be changed`])
  }
}

function actionOf(differences: readonly Difference[], isMarked: boolean): Action {
  if (differences.length > 0) return 'update'
  return isMarked ? 'none' : 'mark'
}

/** The update mask paths of the differences. For keys, the path of the one that is set. */
function maskOf(differences: readonly Difference[], after: Readonly<Record<string, JsonValue>>): readonly string[] {
  return differences.flatMap(({ field }) => {
    const [name = ''] = field.split('.', 1)
    const path = FIELDS[name]
    return path === undefined || (KEYS.has(path) && !(name in after)) ? [] : [path]
  })
}

/** The fields of an issuer that a document describes, as JSON. */
function contentOf(issuer: TrustedIssuer): Readonly<Record<string, JsonValue>> {
  const json = jsonOf(issuer)
  return Object.fromEntries(Object.keys(FIELDS).flatMap((name) => (name in json ? [[name, json[name] ?? null]] : [])))
}

function jsonOf(issuer: TrustedIssuer): JsonObject {
  const json = toJson(TrustedIssuerSchema, issuer)
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new Error('a message is an object in JSON')
  return json
}

/** An issuer cannot be disabled, only deleted, and deletion must be requested explicitly. */
async function pruneIssuers({ calls, owner }: Workplace, kept: ReadonlySet<string>, mode: PruneMode) {
  let owned = 0
  const changes: PlannedChange[] = []
  for await (const { issuer, etag } of listIssuers(calls, owner)) {
    owned += 1
    if (kept.has(issuer)) continue
    const planned = { kind: 'TrustedIssuer', name: issuer, differences: [] } as const
    if (mode === 'disable') {
      const notes = ['no document describes it; an issuer cannot be disabled, so use --prune=delete to delete it']
      changes.push({ ...planned, action: 'none', notes, apply: async () => undefined })
      continue
    }
    const end = async (validateOnly: boolean) => {
      await calls.call(TrustService.method.deleteTrustedIssuer, { issuer, etag, validateOnly })
    }
    await end(true)
    changes.push({ ...planned, action: mode, notes: ['no document describes it'], apply: () => end(false) })
  }
  return { owned, changes }
}

async function* listIssuers(calls: Calls, owner: string): AsyncGenerator<TrustedIssuer> {
  let pageToken = ''
  do {
    const request = { owner, pageToken, pageSize: PAGE_SIZE }
    const page = await calls.call(TrustService.method.listTrustedIssuers, request)
    yield* page.trustedIssuers.filter(({ readOnly }) => !readOnly)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
}

async function* exportIssuers(
  calls: Calls,
  owner: string,
): AsyncGenerator<{ readonly name: string; readonly spec: JsonObject }> {
  for await (const issuer of listIssuers(calls, owner)) {
    const json = jsonOf(issuer)
    const fixed = Object.fromEntries(FIXED.flatMap((name) => (name in json ? [[name, json[name] ?? null]] : [])))
    yield { name: issuer.issuer, spec: { ...fixed, ...contentOf(issuer) } }
  }
}

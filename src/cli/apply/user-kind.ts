import type { JsonObject } from '@bufbuild/protobuf'
import type { User } from '../../gen/qscope/v1/user_pb.ts'
import { UserService } from '../../gen/qscope/v1/user_service_pb.ts'
import type { Calls } from '../connection/calls.ts'
import type { Document } from './documents.ts'
import { isAboutDocument, type Kind, orNull, type PruneMode, type Workplace } from './kind.ts'
import { type PlannedChange, UnsoundDocument } from './planned-change.ts'

/** A user as a document describes it. */
interface UserSpec {
  readonly externalId: string
  /** `null`: the document does not set it, and it stays unchanged. */
  readonly active: boolean | null
}

const MEMBERS: ReadonlySet<string> = new Set(['externalId', 'external_id', 'active'])
const LONGEST_EXTERNAL_ID = 255
const PAGE_SIZE = 200

/** Users, identified by their external ids. */
export const userKind: Kind<UserSpec> = Object.freeze<Kind<UserSpec>>({
  name: 'User',
  read: readUser,
  nameOf: ({ externalId }) => externalId,
  conflicts: () => [],
  plan: planUser,
  prune: pruneUsers,
  export: exportUsers,
})

function readUser({ spec }: Document): UserSpec {
  const unknown = Object.keys(spec).filter((member) => !MEMBERS.has(member))
  if (unknown.length > 0) throw new UnsoundDocument(unknown.map((member) => `spec has no ${member}`))
  const { externalId = spec['external_id'], active = null } = spec
  if (typeof externalId !== 'string' || externalId === '' || [...externalId].length > LONGEST_EXTERNAL_ID) {
    throw new UnsoundDocument([`externalId must be a text of 1 to ${LONGEST_EXTERNAL_ID} characters`])
  }
  if (active !== null && typeof active !== 'boolean') throw new UnsoundDocument(['active must be true or false'])
  return { externalId, active }
}

async function planUser(workplace: Workplace, spec: UserSpec): Promise<PlannedChange> {
  const { calls, owner, adopt } = workplace
  const { externalId, active } = spec
  const id = { case: 'externalId', value: externalId } as const
  const found = (await orNull(calls.call(UserService.method.getUser, { id })))?.user ?? null
  if (found !== null && found.owner !== '' && found.owner !== owner && !adopt) {
    throw new UnsoundDocument([`it is managed by ${found.owner}, not by ${owner}; --adopt takes it over`])
  }
  const isMarked = found?.owner === owner
  const isSwitched = active !== null && active !== (found?.active ?? true)
  const registration = { externalId, owner, adopt, etag: found?.etag ?? '', active: active ?? true }
  if (!isMarked) await validate(calls, registration)
  const before = found?.active ?? true
  return {
    kind: 'User',
    name: externalId,
    action: found === null ? 'register' : isSwitched ? 'update' : isMarked ? 'none' : 'mark',
    differences: found !== null && isSwitched ? [{ field: 'active', before, after: !before }] : [],
    notes: [
      ...(found === null && active === false ? ['deactivated'] : []),
      ...(found === null || isMarked
        ? []
        : [found.owner === '' ? `managed by ${owner} from now on` : `taken over from ${found.owner}`]),
      ...(found?.active === false && active === null
        ? ['deactivated; the document does not say whether it should be']
        : []),
    ],
    apply: async () => {
      const user = isMarked
        ? (found ?? undefined)
        : (await calls.call(UserService.method.registerUser, registration)).user
      // An existing user, or a new one of an older server, which ignores the field.
      if (active !== null && user?.active !== active) await switchTo(calls, user, active)
    },
  }
}

async function validate(calls: Calls, registration: { readonly externalId: string; readonly owner: string }) {
  try {
    await calls.call(UserService.method.registerUser, { ...registration, validateOnly: true })
  } catch (error) {
    if (isAboutDocument(error)) throw new UnsoundDocument([error.message])
    throw error
  }
}

async function switchTo(calls: Calls, user: User | undefined, active: boolean): Promise<void> {
  const { userId = '', etag = '' } = user ?? {}
  const { reactivateUser, deactivateUser } = UserService.method
  if (active) await calls.call(reactivateUser, { userId, etag })
  else await calls.call(deactivateUser, { userId, etag })
}

async function pruneUsers({ calls, owner }: Workplace, kept: ReadonlySet<string>, mode: PruneMode) {
  let owned = 0
  const changes: PlannedChange[] = []
  for await (const { userId, externalId, etag, active } of listUsers(calls, owner)) {
    owned += 1
    if (kept.has(externalId) || (mode === 'disable' && !active)) continue
    const end = async (validateOnly: boolean) => {
      const request = { userId, etag, validateOnly }
      if (mode === 'disable') await calls.call(UserService.method.deactivateUser, request)
      else await calls.call(UserService.method.deleteUser, request)
    }
    await end(true)
    changes.push({
      kind: 'User',
      name: externalId,
      action: mode,
      differences: [],
      notes: ['no document describes it'],
      apply: () => end(false),
    })
  }
  return { owned, changes }
}

async function* listUsers(calls: Calls, owner: string): AsyncGenerator<User> {
  let pageToken = ''
  do {
    const page = await calls.call(UserService.method.listUsers, { owner, pageToken, pageSize: PAGE_SIZE })
    yield* page.users
    pageToken = page.nextPageToken
  } while (pageToken !== '')
}

async function* exportUsers(
  calls: Calls,
  owner: string,
): AsyncGenerator<{ readonly name: string; readonly spec: JsonObject }> {
  const users: User[] = []
  for await (const user of listUsers(calls, owner)) users.push(user)
  // The server lists them by registration time, which differs between servers.
  const inOrder = users.toSorted((a, b) => (a.externalId < b.externalId ? -1 : 1))
  for (const { externalId, active } of inOrder) {
    yield { name: externalId, spec: { externalId, ...(active ? {} : { active: false }) } }
  }
}

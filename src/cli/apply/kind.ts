import type { JsonObject } from '@bufbuild/protobuf'
import type { Calls } from '../connection/calls.ts'
import { CallFailure } from '../connection/calls.ts'
import type { Document } from './documents.ts'
import type { KindName, PlannedChange } from './planned-change.ts'
import type { SecretsPlace } from './secrets-directory.ts'

/** The context for planning and applying a document. */
export interface Workplace {
  readonly calls: Calls
  /** The owner mark of this configuration. */
  readonly owner: string
  /** Whether to take over objects of other owners. */
  readonly adopt: boolean
  readonly secrets: SecretsPlace
}

/** The action for objects that no document describes any more. */
export type PruneMode = 'disable' | 'delete'

/** One kind of documents: how they are parsed, planned, applied, and exported. */
export interface Kind<Spec> {
  readonly name: KindName
  /** Parses a document without calling the server. Throws `UnsoundDocument`. */
  read(document: Document): Spec
  /** The name that identifies the object among those of its kind. */
  nameOf(spec: Spec): string
  /** Conflicts between documents that are valid individually, one line each. */
  conflicts(specs: readonly { readonly place: string; readonly spec: Spec }[]): readonly string[]
  /** The changes that applying it would make. Throws `UnsoundDocument` if the server would refuse it. */
  plan(workplace: Workplace, spec: Spec): Promise<PlannedChange>
  /** The number of objects of the owner, and the changes of pruning those not in `kept`. */
  prune(
    workplace: Workplace,
    kept: ReadonlySet<string>,
    mode: PruneMode,
  ): Promise<{ readonly owned: number; readonly changes: readonly PlannedChange[] }>
  /** All objects, as specs of documents. `owner`: those with this mark; empty: all. */
  export(calls: Calls, owner: string): AsyncIterable<{ readonly name: string; readonly spec: JsonObject }>
}

/** Refusals that show that the object has changed since it was planned. */
const OUTDATED: ReadonlySet<string | null> = new Set(['RESOURCE_CONFLICT', 'REGISTRATION_CLIENT_IDENTIFIER_CONFLICT'])

/** Whether a plan failed because another caller was faster. */
export function isOutdated(error: unknown): boolean {
  return error instanceof CallFailure && OUTDATED.has(error.refusal.reason)
}

/** The answer of a look-up. `null`: the object does not exist. */
export async function orNull<T>(lookUp: Promise<T>): Promise<T | null> {
  try {
    return await lookUp
  } catch (error) {
    if (error instanceof CallFailure && error.refusal.reason === 'RESOURCE_NOT_FOUND') return null
    throw error
  }
}

/** The reasons of refusals that concern the request, not the caller or the state of the server. */
const UNSOUND = /^(REGISTRATION_|OAUTH_INVALID_REQUEST$|OAUTH_INSUFFICIENT_SCOPE$|LIMIT_EXCEEDED$)/

/** Whether a refusal concerns the document. */
export function isAboutDocument(error: unknown): error is CallFailure {
  return error instanceof CallFailure && UNSOUND.test(error.refusal.reason ?? '')
}

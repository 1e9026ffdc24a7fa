import type { JsonObject } from '@bufbuild/protobuf'
import type { Calls } from '../connection/calls.ts'
import { CallFailure } from '../connection/calls.ts'
import type { Document } from './documents.ts'
import type { KindName, PlannedChange } from './planned-change.ts'
import type { SecretsPlace } from './secrets-directory.ts'

/** What planning and applying takes beside a document. */
export interface Workplace {
  readonly calls: Calls
  /** The mark of what this configuration manages. */
  readonly owner: string
  /** Whether to take over what another configuration manages. */
  readonly adopt: boolean
  readonly secrets: SecretsPlace
}

/** What is done to objects that no document describes any more. */
export type PruneMode = 'disable' | 'delete'

/** One kind of documents: how they are read, planned, applied, and written. */
export interface Kind<Spec> {
  readonly name: KindName
  /** Reads a document without looking at the server; throws `UnsoundDocument`. */
  read(document: Document): Spec
  /** By which the object is found, and told apart from others of its kind. */
  nameOf(spec: Spec): string
  /** What goes wrong between documents that are sound by themselves, one line each. */
  conflicts(specs: readonly { readonly place: string; readonly spec: Spec }[]): readonly string[]
  /** What applying it would change; throws `UnsoundDocument` where the server would refuse it. */
  plan(workplace: Workplace, spec: Spec): Promise<PlannedChange>
  /** How many objects have the owner, and what pruning those that are not in `kept` would change. */
  prune(
    workplace: Workplace,
    kept: ReadonlySet<string>,
    mode: PruneMode,
  ): Promise<{ readonly owned: number; readonly changes: readonly PlannedChange[] }>
  /** All objects, as specs of documents. `owner`: those with this mark; empty: all. */
  export(calls: Calls, owner: string): AsyncIterable<{ readonly name: string; readonly spec: JsonObject }>
}

/** Refusals that say that the object is not as it was planned for. */
const OUTDATED: ReadonlySet<string | null> = new Set(['RESOURCE_CONFLICT', 'REGISTRATION_CLIENT_IDENTIFIER_CONFLICT'])

/** Whether a plan did not apply because somebody else was faster. */
export function isOutdated(error: unknown): boolean {
  return error instanceof CallFailure && OUTDATED.has(error.refusal.reason)
}

/** What a look-up answers; `null`: there is no such object. */
export async function orNull<T>(lookUp: Promise<T>): Promise<T | null> {
  try {
    return await lookUp
  } catch (error) {
    if (error instanceof CallFailure && error.refusal.reason === 'RESOURCE_NOT_FOUND') return null
    throw error
  }
}

/** The reasons of refusals that are about what was asked, not about who asks or how the server does. */
const UNSOUND = /^(REGISTRATION_|OAUTH_INVALID_REQUEST$|OAUTH_INSUFFICIENT_SCOPE$|LIMIT_EXCEEDED$)/

/** Whether a refusal is about the document. */
export function isAboutDocument(error: unknown): error is CallFailure {
  return error instanceof CallFailure && UNSOUND.test(error.refusal.reason ?? '')
}

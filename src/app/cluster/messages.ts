import type { Address } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import type { Reload } from '../reload.ts'
import type { Measured } from './metrics-aggregation.ts'

/** Counts by name and key, added up since the last message; see `Sharing`. */
export type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>

/** From the primary to a worker. */
export type Command =
  /** The first one, once it is ready: how to work. All workers share one configuration, whenever they start. */
  | {
      readonly kind: 'open'
      /** From 1; whoever takes its place has it too. */
      readonly number: number
      readonly config: Config
      readonly fingerprintKey: string
    }
  | { readonly kind: 'listen' }
  | { readonly kind: 'stop' }
  /** What was read again and can be used. */
  | { readonly kind: 'reload'; readonly reload: Reload }
  /** What another worker counted. */
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** Asks what the worker has measured; it answers with the round. */
  | { readonly kind: 'measure'; readonly round: number }
  /** What all workers have measured, for the one that wanted to know. */
  | { readonly kind: 'measurements'; readonly wanted: number; readonly measured: readonly Measured[] }

/** From a worker to the primary. */
export type WorkerEvent =
  /** It listens to commands: what came before is lost. */
  | { readonly kind: 'ready' }
  /** Its event loop turns. */
  | { readonly kind: 'beat' }
  /** Everything is open but the port. */
  | { readonly kind: 'opened' }
  | { readonly kind: 'listening'; readonly address: Address }
  /** It cannot start, and ends. */
  | { readonly kind: 'failed'; readonly problem: string }
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** It was asked for the metrics of the server. */
  | { readonly kind: 'measurements_wanted'; readonly wanted: number }
  | { readonly kind: 'measured'; readonly round: number; readonly measured: Measured }

const MARK = 'qscope'

/** Marked, since libraries speak over the same channel. */
export function marked<T extends Command | WorkerEvent>(message: T): { readonly [MARK]: T } {
  return { [MARK]: message }
}

/** A message of ours; `null` for one of somebody else. */
export function commandIn(message: unknown): Command | null {
  return contentOf(message) as Command | null
}

export function eventIn(message: unknown): WorkerEvent | null {
  return contentOf(message) as WorkerEvent | null
}

/** Both ends are this program, in one version. */
function contentOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && MARK in message ? message[MARK] : null
}

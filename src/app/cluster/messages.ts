import type { Address } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import type { Reload } from './lifecycle.ts'
import type { ProcessMetrics } from './metrics-aggregation.ts'

/** Counts by name and key, added up since the last message; see `CounterSync`. */
export type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>

/** From the primary to a worker. */
export type Command =
  /** The first message to a ready worker: its configuration. All workers share one configuration, whenever they start. */
  | {
      readonly kind: 'open'
      /** From 1. The replacement of a worker has the same number. */
      readonly number: number
      readonly config: Config
      readonly fingerprintKey: string
    }
  | { readonly kind: 'listen' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'reload'; readonly reload: Reload }
  /** What another worker counted. */
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** Requests the metrics of the worker. The answer carries the same round. */
  | { readonly kind: 'measure'; readonly round: number }
  /** The metrics of all workers, for the worker that requested them. */
  | { readonly kind: 'measurements'; readonly request: number; readonly measured: readonly ProcessMetrics[] }

/** From a worker to the primary. */
export type WorkerEvent =
  /** The worker now receives commands. Earlier commands are lost. */
  | { readonly kind: 'ready' }
  /** Its event loop runs. */
  | { readonly kind: 'beat' }
  /** Everything except the port is open. */
  | { readonly kind: 'opened' }
  | { readonly kind: 'listening'; readonly address: Address }
  /** The worker cannot start, and exits. */
  | { readonly kind: 'failed'; readonly problem: string }
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** A scraper requested the metrics of the server from this worker. */
  | { readonly kind: 'measurements_requested'; readonly request: number }
  | { readonly kind: 'measured'; readonly round: number; readonly measured: ProcessMetrics }

const MARK = 'qscope'

/** Marks a message as one of QScope, since libraries use the same channel. */
export function envelope<T extends Command | WorkerEvent>(message: T): { readonly [MARK]: T } {
  return { [MARK]: message }
}

/** `null`: the message is not one of QScope. */
export function readCommand(message: unknown): Command | null {
  return contentOf(message) as Command | null
}

export function readEvent(message: unknown): WorkerEvent | null {
  return contentOf(message) as WorkerEvent | null
}

/** Both ends run the same version of this program. */
function contentOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && MARK in message ? message[MARK] : null
}

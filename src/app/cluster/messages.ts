import type { Address } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import type { Reload } from './lifecycle.ts'
import type { ProcessMetrics } from './metrics-aggregation.ts'

/** Counts by name and key, added up since the last message; see `CounterSync`. */
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
  | { readonly kind: 'reload'; readonly reload: Reload }
  /** What another worker counted. */
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** Asks what the worker has measured; it answers with the round. */
  | { readonly kind: 'measure'; readonly round: number }
  /** What all workers have measured, for the worker that asked. */
  | { readonly kind: 'measurements'; readonly request: number; readonly measured: readonly ProcessMetrics[] }

/** From a worker to the primary. */
export type WorkerEvent =
  /** It listens to commands: what came before is lost. */
  | { readonly kind: 'ready' }
  /** Its event loop runs. */
  | { readonly kind: 'beat' }
  /** Everything is open but the port. */
  | { readonly kind: 'opened' }
  | { readonly kind: 'listening'; readonly address: Address }
  /** It cannot start, and ends. */
  | { readonly kind: 'failed'; readonly problem: string }
  | { readonly kind: 'counts'; readonly counts: Counts }
  /** Somebody asked it for the metrics of the server. */
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

/** Both ends are this program, in one version. */
function contentOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && MARK in message ? message[MARK] : null
}

import type { Address } from '../../config/address.ts'
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { ProcessMetrics } from './metrics-aggregation.ts'

/** Decides when the server of this process starts to listen and stops: for an operator, or for the primary of several workers. */
export interface Lifecycle {
  /** Resolves with the reason when the server is to stop. */
  readonly stopRequested: Promise<string>
  /** Called when everything is open but the port; resolves when the port may be opened. */
  readyToListen(): Promise<void>
  onListening(report: StartReport): void
  /** Tells how this process applies what was read again. */
  onReload(apply: (reload: Reload) => Promise<void>): void
  /** Tells how this process measures itself; the returned function collects the metrics of all processes that serve together. */
  aggregateMetrics(own: () => Promise<ProcessMetrics>): () => Promise<readonly ProcessMetrics[]>
}

/** What a server reports when it answers calls. */
export interface StartReport {
  /** As bound. */
  readonly address: Address
  /** As bound; `null`: there is no port for HTTP. */
  readonly httpAddress: Address | null
  /** The admin client that was just created; its secret is shown now and never again. */
  readonly admin: { readonly clientId: string; readonly clientSecret: string } | null
  /** The database is new and has no admin client yet. */
  readonly needsAdmin: boolean
  /** The clients that were registered before it listened, whose secrets are shown now and never again. */
  readonly seeded?: readonly SeededClient[]
}

/** A client that a server which keeps nothing was started with. */
export interface SeededClient {
  readonly clientId: string
  readonly clientSecret: string
}

/** What a running server reads again when it is asked to. */
export type ReloadedPart = 'TLS files' | 'keyring' | 'trusted issuers'

/** What was read again and can be used. */
export interface Reload {
  readonly parts: readonly ReloadedPart[]
  /** `null`: they stay as they are. */
  readonly trustedIssuers: readonly TrustedIssuer[] | null
}

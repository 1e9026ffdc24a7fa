import type { Address } from '../../config/address.ts'
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { ProcessMetrics } from './metrics-aggregation.ts'

/** Decides when the server of this process starts to listen and when it stops. The operator controls it, or the primary of several workers. */
export interface Lifecycle {
  /** Resolves with the reason when the server is to stop. */
  readonly stopRequested: Promise<string>
  /** Called when everything except the port is open. Resolves when the port may be opened. */
  readyToListen(): Promise<void>
  onListening(report: StartReport): void
  /** Sets how this process applies reloaded settings. */
  onReload(apply: (reload: Reload) => Promise<void>): void
  /** Sets how this process reads its own metrics. Returns a function that collects the metrics of all worker processes. */
  aggregateMetrics(own: () => Promise<ProcessMetrics>): () => Promise<readonly ProcessMetrics[]>
}

/** What a server reports when it answers calls. */
export interface StartReport {
  /** The bound address. */
  readonly address: Address
  /** The bound address; `null` if there is no HTTP port. */
  readonly httpAddress: Address | null
  /** The admin client that was just created. Its secret is shown only now. */
  readonly admin: { readonly clientId: string; readonly clientSecret: string } | null
  /** The database is new and has no admin client yet. */
  readonly needsAdmin: boolean
  /** The clients that were registered before the server listened. Their secrets are shown only now. */
  readonly seeded?: readonly SeededClient[]
}

/** A client that an ephemeral server was started with. */
export interface SeededClient {
  readonly clientId: string
  readonly clientSecret: string
}

/** The parts of the configuration that a running server reloads on request. */
export type ReloadedPart = 'TLS files' | 'keyring' | 'trusted issuers'

/** The reloaded settings, already validated. */
export interface Reload {
  readonly parts: readonly ReloadedPart[]
  /** `null` if they are unchanged. */
  readonly trustedIssuers: readonly TrustedIssuer[] | null
}

import type { Identity } from '../setup/certificates.ts'

export interface TestServerOptions {
  /** `null`: plaintext. */
  readonly tls: Identity | null
}

export interface TestServer {
  /** On 127.0.0.1. */
  readonly port: number
  stop(): Promise<void>
}

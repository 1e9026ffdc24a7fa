import { readFile } from 'node:fs/promises'
import type { ClientProof } from './client-proof.ts'

/** A client that is registered for `FEDERATED_JWT`, and where its platform puts the token that names it. */
export interface AssertionFile {
  readonly clientId: string
  /** Such as the path of a projected Kubernetes service account token for the audience of QScope's issuer. */
  readonly path: string
}

/**
 * Proves a client by the token of its platform (RFC 7523 §2.2). The file is read for each call: the platform
 * replaces the token before it ends.
 */
export function federatedJwt({ clientId, path }: AssertionFile): ClientProof {
  return { clientId, clientAssertion: async () => (await readFile(path, 'utf8')).trim() }
}

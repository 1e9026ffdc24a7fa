import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ClientAuthenticationSchema } from './gen/qscope/v1/client_authentication_pb.ts'

/**
 * How a client proves itself to QScope (RFC 6749 §2.3). A secret or an assertion
 * may be a function, which is asked for each call: a rotated secret is read
 * anew, and an assertion is good for one call only.
 */
export type ClientProof =
  | { readonly clientId: string; readonly clientSecret: string | (() => string | Promise<string>) }
  | { readonly clientId: string; readonly clientAssertion: () => string | Promise<string> }
  /** A public client, or one whose certificate was shown in the TLS handshake. */
  | { readonly clientId: string }

/** The proof as it stands in a request. */
export async function authenticationOf(
  proof: ClientProof,
): Promise<MessageInitShape<typeof ClientAuthenticationSchema>> {
  const { clientId } = proof
  if ('clientSecret' in proof) {
    const { clientSecret } = proof
    const value = typeof clientSecret === 'string' ? clientSecret : await clientSecret()
    return { clientId, method: { case: 'clientSecret', value } }
  }
  if ('clientAssertion' in proof) {
    return { clientId, method: { case: 'clientAssertion', value: await proof.clientAssertion() } }
  }
  return { clientId }
}

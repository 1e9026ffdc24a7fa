import { type Code, ConnectError, type ContextValues, createContextKey, type Interceptor } from '@connectrpc/connect'
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts'
import { statusCode } from '../status-name.ts'
import { admit, type Refusal, type RequireTokenOptions } from '../verification/admission.ts'
import { errorInfoOf } from '../verification/refusal-details.ts'
import type { VerifiedToken } from '../verification/verified-token.ts'
import { peerCertificate } from './peer-certificate.ts'

const verified = createContextKey<VerifiedToken | null>(null, { description: 'verified access token' })

/**
 * Lets only those calls reach a Connect server's handlers whose token is good
 * and permits the method. Others end with `unauthenticated` or
 * `permission_denied`, with the details that QScope itself sends.
 *
 * @example
 * connectNodeAdapter({ routes, interceptors: [requireToken({ verifier, access })] })
 */
export function requireToken(options: RequireTokenOptions): Interceptor {
  return (next) => async (request) => {
    const authorization = request.header.get('authorization')
    const admission = await admit(options, {
      path: `/${request.service.typeName}/${request.method.name}`,
      // Several values arrive as one, joined by commas, which no token holds.
      authorization: authorization === null ? [] : [authorization],
      certificate: request.contextValues.get(peerCertificate),
      signal: request.signal,
    })
    if (!admission.admitted) throw errorOf(admission.refusal)
    request.contextValues.set(verified, admission.token)
    return await next(request)
  }
}

/** The token that let a call in; throws where `requireToken` did not ask for one. */
export function verifiedToken(context: { readonly values: ContextValues }): VerifiedToken {
  const token = context.values.get(verified)
  if (token === null) throw new TypeError('no token was verified for this call: its method is open to anyone')
  return token
}

function errorOf(refusal: Refusal): ConnectError {
  // Connect's codes are gRPC's.
  const code: Code = statusCode(refusal.status)
  const info = { desc: ErrorInfoSchema, value: errorInfoOf(refusal) }
  return new ConnectError(refusal.message, code, undefined, [info])
}

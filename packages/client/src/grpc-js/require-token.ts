import { create, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js'
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../gen/google/rpc/status_pb.ts'
import { DETAILS_KEY } from '../status-details.ts'
import { statusCode } from '../status-name.ts'
import { admit, type Refusal, type RequireTokenOptions } from '../verification/admission.ts'
import { certificateThumbprint } from '../verification/certificate-thumbprint.ts'
import { errorInfoOf } from '../verification/refusal-details.ts'
import type { VerifiedToken } from '../verification/verified-token.ts'

/** By the metadata object of the call, which nobody outside this process can name. */
const verified = new WeakMap<Metadata, VerifiedToken>()

/**
 * Lets only those calls reach a grpc-js server's handlers whose token is good
 * and permits the method. Others end with UNAUTHENTICATED or PERMISSION_DENIED,
 * with the details that QScope itself sends.
 *
 * A token that is bound to a certificate needs the caller's, which the server
 * has if it asks for one and the certificate is of its CA.
 *
 * @example
 * const server = new Server({ interceptors: [requireToken({ verifier, access })] })
 */
export function requireToken(options: RequireTokenOptions): ServerInterceptor {
  return ({ path }, call) => {
    const gone = new AbortController()
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const knock = {
          path,
          authorization: metadata.get('authorization').map(String),
          certificate: certificateOf(call),
          signal: gone.signal,
        }
        admit(options, knock).then(
          (admission) => {
            if (!admission.admitted) return call.sendStatus(statusOf(admission.refusal))
            if (admission.token !== null) verified.set(metadata, admission.token)
            next(metadata)
          },
          (error: unknown) => {
            // Of a caller who is gone nobody hears; anything else is a bug, and not hidden.
            if (!gone.signal.aborted) throw error
          },
        )
      })
      .withOnCancel(() => gone.abort())
      .build()
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build())
  }
}

/** The token that let a call in; throws where `requireToken` did not ask for one. */
export function verifiedToken(call: { readonly metadata: Metadata }): VerifiedToken {
  const token = verified.get(call.metadata)
  if (token === undefined) throw new TypeError('no token was verified for this call: its method is open to anyone')
  return token
}

function certificateOf(call: ServerInterceptingCallInterface): string | null {
  const raw = call.getAuthContext().sslPeerCertificate?.raw
  return raw === undefined ? null : certificateThumbprint(raw)
}

function statusOf(refusal: Refusal) {
  const code = statusCode(refusal.status)
  const details = [anyPack(ErrorInfoSchema, errorInfoOf(refusal))]
  const encoded = toBinary(StatusSchema, create(StatusSchema, { code, message: refusal.message, details }))
  const metadata = new Metadata()
  metadata.set(DETAILS_KEY, Buffer.from(encoded))
  return { code, details: refusal.message, metadata }
}

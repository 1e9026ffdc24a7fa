import { create } from '@bufbuild/protobuf'
import { type ErrorInfo, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts'
import { DOMAIN } from '../qscope-error.ts'
import type { Refusal } from './admission.ts'

/** A refusal in the words of QScope's own, so that callers read both alike. */
export function errorInfoOf({ reason, oauthError, metadata }: Refusal): ErrorInfo {
  return create(ErrorInfoSchema, { reason, domain: DOMAIN, metadata: { oauth_error: oauthError, ...metadata } })
}

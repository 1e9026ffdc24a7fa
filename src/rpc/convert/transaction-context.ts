import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type TransactionContext, TransactionContextSchema } from '../../gen/qscope/v1alpha1/transaction_context_pb.ts'
import { invalidRequest, type Result, success } from '../../results.ts'

const FIELD = 'transaction_context'
/** The limit of each context in characters, as in the contract. */
const LONGEST_CONTEXT = 2_048

/**
 * Parses the message in the field. The field has type bytes, so that `qscope.v1` does not depend on an unstable package. An
 * empty field is an empty message.
 */
export function readTransactionContext(bytes: Uint8Array): Result<TransactionContext> {
  const context = parsed(bytes)
  if (context === null) return invalidRequest(FIELD, 'must be a serialized qscope.v1alpha1.TransactionContext')
  if (context.requestContext.length > LONGEST_CONTEXT) return tooLong('request_context')
  if (context.requestDetails.length > LONGEST_CONTEXT) return tooLong('request_details')
  return success(context)
}

/** The inverse of `readTransactionContext`. */
export function writeTransactionContext(
  context: MessageInitShape<typeof TransactionContextSchema>,
): Uint8Array<ArrayBuffer> {
  return toBinary(TransactionContextSchema, create(TransactionContextSchema, context))
}

function parsed(bytes: Uint8Array): TransactionContext | null {
  try {
    return fromBinary(TransactionContextSchema, bytes)
  } catch {
    return null
  }
}

function tooLong(name: string) {
  return invalidRequest(`${FIELD}.${name}`, `must have at most ${LONGEST_CONTEXT} characters`)
}

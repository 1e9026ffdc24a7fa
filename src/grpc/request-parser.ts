import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import { fail, type Result, success } from '../results.ts'
import { findExcess } from './find-excess.ts'
import { requestBounds } from './request-bounds.ts'

const UNREADABLE = fail('oauth.invalid_request', {
  violations: [{ field: '', description: 'the message is not a valid encoding of the request' }],
})

/** Parses requests of one type, none of them larger than its schema allows. */
export function requestParser<I extends DescMessage>(input: I): (encoded: Uint8Array) => Result<MessageShape<I>> {
  const bounds = requestBounds(input)
  return (encoded) => {
    const excess = findExcess(encoded, bounds)
    if (excess !== null) return fail('oauth.invalid_request', { violations: [excess] })
    try {
      return success(fromBinary(input, encoded))
    } catch {
      return UNREADABLE
    }
  }
}

import { create, toBinary } from '@bufbuild/protobuf'
import { BytesValueSchema } from '@bufbuild/protobuf/wkt'

export const ECHO_PATH = '/bench.Echo/Echo'

const MESSAGE_BYTES = 200
const FIELD_HEADER_BYTES = 3

/** A message of 200 bytes. */
export function echoMessage(): Uint8Array {
  const value = new Uint8Array(MESSAGE_BYTES - FIELD_HEADER_BYTES).fill(120)
  return toBinary(BytesValueSchema, create(BytesValueSchema, { value }))
}

import { type DescMessage, fromJson, type JsonObject, type MessageShape } from '@bufbuild/protobuf'
import { unreadableField } from '../../rpc/request-limits/unreadable-field.ts'
import { UnsoundDocument } from './planned-change.ts'

/** Parses the spec of a document. Throws `UnsoundDocument`, with the path of the field, but not its value, which may be secret. */
export function readSpec<Desc extends DescMessage>(schema: Desc, spec: JsonObject): MessageShape<Desc> {
  try {
    return fromJson(schema, spec)
  } catch {
    const violation = unreadableField(schema, spec)
    throw new UnsoundDocument([
      violation === null ? 'spec cannot be read' : `spec.${violation.field} ${violation.description}`,
    ])
  }
}

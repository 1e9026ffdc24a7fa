import type { JsonValue } from '@bufbuild/protobuf'
import { Document, Scalar, visit } from 'yaml'
import { printable } from '../../printable.ts'

/** A document as YAML 1.2. Unprintable characters are escaped, which requires double quotes, so that the data stays the same. */
export function yamlText(value: JsonValue): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === 'string' && printable(node.value) !== node.value) node.type = Scalar.QUOTE_DOUBLE
    },
  })
  return document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Number.POSITIVE_INFINITY })
}

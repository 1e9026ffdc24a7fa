import { type DescField, type DescMessage, fromJson, type JsonValue } from '@bufbuild/protobuf'
import type { FieldViolation } from '../../errors/registry.ts'
import { jsonExpectation } from './json-expectation.ts'
import { shownName } from './json-scan.ts'
import { inside, refusal } from './scan.ts'

/**
 * Finds the first field that makes JSON invalid for a message. The decoder names only some fields, none by its path, and its
 * message repeats the input. `null`: each field is valid by itself.
 */
export function unreadableField(schema: DescMessage, json: JsonValue): FieldViolation | null {
  if (!isObject(json)) return null
  for (const [name, value] of Object.entries(json)) {
    const field = schema.fields.find((each) => each.name === name || each.jsonName === name)
    if (field === undefined) return refusal(shownName(name), 'is not a field')
    if (!isReadable(schema, name, value)) return violationOf(schema, name, field, value)
  }
  return null
}

function violationOf(schema: DescMessage, name: string, field: DescField, value: JsonValue): FieldViolation {
  const inner = field.message === undefined || field.fieldKind === 'map' ? null : field.message
  if (inner !== null && field.fieldKind === 'list' && Array.isArray(value)) {
    const at = value.findIndex((item) => !isReadable(schema, name, [item]))
    const violation = unreadableField(inner, value[at] ?? null)
    if (violation !== null) return inside(`${field.name}[${at}]`, violation)
  }
  const violation = inner === null ? null : unreadableField(inner, value)
  return violation === null ? refusal(field.name, jsonExpectation(field)) : inside(field.name, violation)
}

function isReadable(schema: DescMessage, name: string, value: JsonValue): boolean {
  try {
    fromJson(schema, { [name]: value })
    return true
  } catch {
    return false
  }
}

function isObject(json: JsonValue): json is { [key: string]: JsonValue } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** Converts columns to values. What a database returns is validated. */
import { type EpochMs, epochMs } from '../../../domain/ids.ts'
import { isObject, type JsonObject } from '../../../json-object.ts'
import { DatabaseError } from './database-error.ts'

/** An integer of at most 2^53. Drivers return large ones as text or bigint. */
export function integer(value: unknown, column: string): number {
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' || typeof value === 'bigint'
        ? Number(value)
        : Number.NaN
  if (!Number.isSafeInteger(number)) throw unreadable(column)
  return number
}

export function integerOrNull(value: unknown, column: string): number | null {
  return value === null ? null : integer(value, column)
}

export function flag(value: unknown, column: string): boolean {
  const number = integer(value, column)
  if (number !== 0 && number !== 1) throw unreadable(column)
  return number === 1
}

/** The text of a nullable column that must not be null in this row. */
export function textOf(value: string | null, column: string): string {
  if (value === null) throw unreadable(column)
  return value
}

/** A flag as it is stored. SQLite cannot bind booleans. */
export function asFlag(value: boolean): 0 | 1 {
  return value ? 1 : 0
}

/** Bytes from another thread arrive as a plain array. */
export function bytes(value: unknown, column: string): Buffer {
  if (!(value instanceof Uint8Array)) throw unreadable(column)
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** A hash of 32 bytes. */
export function hash32(value: unknown, column: string): Buffer {
  const hash = bytes(value, column)
  if (hash.byteLength !== 32) throw unreadable(column)
  return hash
}

export function moment(value: unknown, column: string): EpochMs {
  return epochMs(integer(value, column))
}

export function momentOrNull(value: unknown, column: string): EpochMs | null {
  return value === null ? null : moment(value, column)
}

export function words(value: string): readonly string[] {
  return Object.freeze(value === '' ? [] : value.split(' '))
}

export function stringList(value: string, column: string): readonly string[] {
  if (value === '[]') return NO_STRINGS
  const list = json(value, column)
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) throw unreadable(column)
  return Object.freeze(list)
}

export function stringMap(value: string, column: string): Readonly<Record<string, string>> {
  if (value === '{}') return NO_ENTRIES
  const map = json(value, column)
  if (!isStringMap(map)) throw unreadable(column)
  return Object.freeze(map)
}

/** One of the allowed words. */
export function oneOf<Word extends string>(value: string, allowed: readonly Word[], column: string): Word {
  const found = allowed.find((word) => word === value)
  if (found === undefined) throw unreadable(column)
  return found
}

const NO_STRINGS: readonly string[] = Object.freeze([])
const NO_ENTRIES: Readonly<Record<string, string>> = Object.freeze({})

function isStringMap(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === 'string')
  )
}

/** A JSON document. */
export function json(value: string, column: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    throw unreadable(column)
  }
}

/** A JSON object. */
export function jsonObjectOf(value: string, column: string): Readonly<JsonObject> {
  const object = json(value, column)
  if (!isObject(object)) throw unreadable(column)
  return Object.freeze(object as JsonObject)
}

/** The error for a value that no version of qscope writes. */
export function unreadable(column: string): DatabaseError {
  return new DatabaseError('broken', `a row holds a value in ${column} that no version of qscope writes`)
}

/** A hash as the key of a map: one character for each byte, the cheapest encoding. */
export function hashKey(hash: Buffer): string {
  return hash.toString('latin1')
}

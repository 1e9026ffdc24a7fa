/** A value as drivers of servers take it. */
export type Bindable = string | number | boolean | Buffer | null

export function bindable(value: unknown): Bindable {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value)
  throw new TypeError(`a ${typeof value} cannot be stored`)
}

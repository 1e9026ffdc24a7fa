import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt'
import type { SigningKey } from '../../../../src/gen/qscope/v1/key_service_pb.ts'

/** A stretch of a key's life. Times are milliseconds since 1970. */
export interface Stretch {
  readonly state: 'prepared' | 'signing' | 'retired' | 'revoked'
  readonly from: number
  /** `null`: it goes on. */
  readonly to: number | null
}

/** The life of a key, from when it was created: what it was from when to when. */
export function lifeOf(key: SigningKey): readonly Stretch[] {
  const end = msOf(key.revokeTime)
  const signs = earlier(msOf(key.activateTime), end)
  const retires = earlier(msOf(key.retireTime), end)
  const leaves = earlier(msOf(key.lastTokenExpireTime), end)
  const prepared = msOf(key.prepareTime) ?? 0
  const stretches: Stretch[] = [
    { state: 'prepared', from: prepared, to: signs ?? retires ?? end },
    ...(signs === null ? [] : [{ state: 'signing' as const, from: signs, to: retires ?? end }]),
    ...(retires === null ? [] : [{ state: 'retired' as const, from: retires, to: leaves ?? end }]),
    ...(end === null ? [] : [{ state: 'revoked' as const, from: end, to: null }]),
  ]
  return stretches.filter(({ from, to }) => to === null || to > from)
}

/** A part of a line, in percent of its length. */
export interface Placed {
  readonly left: number
  readonly width: number
}

/** Where a stretch lies on a line from `start` to `end`. What goes on reaches its end. */
export function placeOf({ from, to }: Stretch, start: number, end: number): Placed {
  const length = Math.max(1, end - start)
  const at = (time: number) => (Math.min(Math.max(time, start), end) - start) / length
  const left = at(from) * 100
  return { left, width: Math.max(0, at(to ?? end) * 100 - left) }
}

/** What all lives together take: from the first key to the last expiry, and now. */
export function spanOf(lives: readonly (readonly Stretch[])[], now: number): readonly [start: number, end: number] {
  const times = lives.flat().flatMap(({ from, to }) => (to === null ? [from] : [from, to]))
  return [Math.min(now, ...times), Math.max(now, ...times)]
}

function msOf(time: Timestamp | undefined): number | null {
  return time === undefined ? null : timestampMs(time)
}

/** Nothing begins after the end. */
function earlier(time: number | null, end: number | null): number | null {
  if (time === null || end === null) return time
  return time < end ? time : null
}

import { create } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { type EpochMs, epochMs, type Milliseconds, milliseconds } from '../../domain/ids.ts'

const SECOND = 1_000
const NANOS_PER_MS = 1_000_000

export function toTimestamp(moment: EpochMs): Timestamp {
  const seconds = Math.floor(moment / SECOND)
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (moment - seconds * SECOND) * NANOS_PER_MS })
}

/** Rounded down to the millisecond. */
export function fromTimestamp({ seconds, nanos }: Timestamp): EpochMs {
  return epochMs(Number(seconds) * SECOND + Math.floor(nanos / NANOS_PER_MS))
}

export function toDuration(span: Milliseconds): Duration {
  const seconds = Math.floor(span / SECOND)
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: (span - seconds * SECOND) * NANOS_PER_MS })
}

/** Rounded down to the millisecond. */
export function fromDuration({ seconds, nanos }: Duration): Milliseconds {
  return milliseconds(Number(seconds) * SECOND + Math.floor(nanos / NANOS_PER_MS))
}

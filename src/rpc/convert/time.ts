import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Duration, DurationSchema, Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { type EpochMs, epochMs, type Milliseconds, milliseconds } from '../../domain/ids.ts'

const SECOND = 1_000
const NANOS_PER_MS = 1_000_000

/** The init object of a message. Callers that need a message create it. */
export function toTimestamp(moment: EpochMs): MessageInitShape<typeof TimestampSchema> {
  const seconds = Math.floor(moment / SECOND)
  return { seconds: BigInt(seconds), nanos: (moment - seconds * SECOND) * NANOS_PER_MS }
}

/** Rounded down to the millisecond. */
export function fromTimestamp({ seconds, nanos }: Timestamp): EpochMs {
  return epochMs(Number(seconds) * SECOND + Math.floor(nanos / NANOS_PER_MS))
}

/** The same for a span. */
export function toDuration(span: Milliseconds): MessageInitShape<typeof DurationSchema> {
  const seconds = Math.floor(span / SECOND)
  return { seconds: BigInt(seconds), nanos: (span - seconds * SECOND) * NANOS_PER_MS }
}

/** Rounded down to the millisecond. */
export function fromDuration({ seconds, nanos }: Duration): Milliseconds {
  return milliseconds(Number(seconds) * SECOND + Math.floor(nanos / NANOS_PER_MS))
}

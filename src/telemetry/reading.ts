import type { Definition, Metric, Sample } from './metric.ts'

/** A metric whose values are kept elsewhere and read when they are asked for. */
export function reading(definition: Definition, read: () => readonly Sample[] | Promise<readonly Sample[]>): Metric {
  return Object.freeze({ definition, samples: read })
}

/** The value of a metric without labels. */
export function single(value: number): readonly Sample[] {
  return [{ labels: {}, value }]
}

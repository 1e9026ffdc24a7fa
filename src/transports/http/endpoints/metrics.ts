import type { Endpoint } from '../endpoint.ts'

export type MetricsSource = () => Promise<{ readonly contentType: string; readonly text: string }>

/** What Prometheus scrapes. */
export function metricsEndpoint(metrics: MetricsSource): Endpoint {
  return {
    path: '/metrics',
    answer: async () => {
      const { contentType, text } = await metrics()
      return { status: 200, contentType, body: text }
    },
  }
}

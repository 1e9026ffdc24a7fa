import type { Config } from '../config/config.ts'
import type { GrpcLimits } from '../transports/grpc/server.ts'

/** What the configuration lets a connection use up. */
export function grpcLimitsOf(config: Config): Partial<GrpcLimits> {
  const { maxMessageBytes, maxConcurrentStreams, maxConnectionAgeMs, keepaliveTimeMs } = config
  return { maxMessageBytes, maxConcurrentStreams, maxConnectionAgeMs, keepaliveTimeMs }
}

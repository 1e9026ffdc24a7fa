import { Metadata } from '@grpc/grpc-js'
import { RAY_ID_KEY, rayIdOf } from '../../rpc/ray-id.ts'

export function rayIdFrom(metadata: Metadata, newRayId: () => string): string {
  return rayIdOf((key) => metadata.get(key)[0]?.toString(), newRayId)
}

/** The initial metadata of every answer. */
export function rayIdMetadata(rayId: string): Metadata {
  const metadata = new Metadata()
  metadata.set(RAY_ID_KEY, rayId)
  return metadata
}

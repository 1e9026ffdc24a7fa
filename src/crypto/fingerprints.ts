import { hash } from 'node:crypto'
import { randomBytes } from './random.ts'

export function drawFingerprintKey(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * Short names for secrets, to tell whether one was seen before. They mean
 * nothing to whoever lacks the key, which lives no longer than the service runs.
 */
export function fingerprinter(key: string): (secret: string) => string {
  return (secret) => hash('sha256', key + secret, 'base64url')
}

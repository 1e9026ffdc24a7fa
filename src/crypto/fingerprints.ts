import { hash } from 'node:crypto'
import { randomBytes } from './random.ts'

/**
 * Short names for secrets, to tell whether one was seen before. They mean
 * nothing outside of this process: each draws a key of its own.
 */
export function drawFingerprinter(): (secret: string) => string {
  const key = randomBytes(32).toString('base64url')
  return (secret) => hash('sha256', key + secret, 'base64url')
}

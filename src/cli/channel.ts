import { readFileSync } from 'node:fs'
import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import { encryptedKeyProblem, isEncryptedKey } from '../crypto/encrypted-key.ts'
import { messageOf } from '../message-of.ts'
import type { ConnectionOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

/** How the connection to a server is secured: plaintext unless TLS is asked for. */
export function channelFor({ tls, caFile, certFile, keyFile }: ConnectionOptions): ChannelCredentials {
  if ((certFile === undefined) !== (keyFile === undefined)) throw new UsageError('--cert-file goes with --key-file')
  if (!tls && caFile === undefined && certFile === undefined) return credentials.createInsecure()
  return credentials.createSsl(contentOf(caFile), keyOf(keyFile), contentOf(certFile))
}

function keyOf(path: string | undefined): Buffer | null {
  const key = contentOf(path)
  if (path !== undefined && key !== null && isEncryptedKey(key)) throw new UsageError(encryptedKeyProblem(path))
  return key
}

function contentOf(path: string | undefined): Buffer | null {
  if (path === undefined) return null
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

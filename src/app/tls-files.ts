import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { TlsConfig } from '../config/rules.ts'
import { encryptedKeyProblem, isEncryptedKey } from '../crypto/encrypted-key.ts'
import type { Logger } from '../logger.ts'
import { messageOf } from '../message-of.ts'
import { TlsCredentials } from '../transports/grpc/tls-credentials.ts'
import { type ClientCertificates, contextOf, type TlsMaterial } from '../transports/tls.ts'
import { repeat } from './jobs/repeat.ts'

/** TLS credentials that follow their files. */
export interface TlsFiles {
  /** For gRPC. */
  readonly credentials: TlsCredentials
  /** What was read last, and can be used. */
  readonly material: TlsMaterial
  readonly clients: ClientCertificates
  /** Calls back with what takes its place. */
  onReplaced(listener: (material: TlsMaterial) => void): void
  /** Looks at the files now; what cannot be used is logged, and what was read before goes on. */
  reload(): Promise<void>
  /** Looks at the files no more. */
  stop(): void
}

/** Reads the files, and again whenever they change. Throws an error of one line if they cannot be used at first. */
export async function openTlsFiles(tls: TlsConfig, log: Logger): Promise<TlsFiles> {
  let seen = await readFiles(tls)
  insistOnSound(seen, tls)
  const credentials = new TlsCredentials(seen, tls.clientAuth)
  const listeners: ((material: TlsMaterial) => void)[] = [(material) => credentials.replace(material)]
  let material = seen
  let unreadable = false

  async function look(): Promise<void> {
    try {
      const found = await readFiles(tls)
      unreadable = false
      if (isSame(found, seen)) return
      // What is wrong is said once, not at every look.
      seen = found
      insistOnSound(found, tls)
      material = found
      for (const listener of listeners) listener(found)
      log.info({ notAfter: new X509Certificate(found.cert).validTo }, 'TLS certificate replaced')
    } catch (error) {
      if (!unreadable) log.error({ err: error }, 'the TLS files cannot be used; the certificate before them goes on')
      unreadable = !(error instanceof UnsoundTls)
    }
  }

  const looking = repeat(() => tls.reloadIntervalMs, look)
  return {
    credentials,
    get material() {
      return material
    },
    clients: tls.clientAuth,
    onReplaced: (listener) => void listeners.push(listener),
    reload: look,
    stop: () => looking.stop(),
  }
}

/** Files that were read, but do not fit together. */
class UnsoundTls extends Error {}

/** Throws an error of one line naming the variable. */
export async function readFiles({ certFile, keyFile, clientCaFile }: TlsConfig): Promise<TlsMaterial> {
  const [cert, key, clientCa] = await Promise.all([
    readNamed('QSCOPE_TLS_CERT_FILE', certFile),
    readNamed('QSCOPE_TLS_KEY_FILE', keyFile),
    clientCaFile === null ? null : readNamed('QSCOPE_TLS_CLIENT_CA_FILE', clientCaFile),
  ])
  return { cert, key, clientCa }
}

/** Throws an error of one line, if a server could not work with these. */
export function insistOnSound(material: TlsMaterial, { certFile, keyFile, clientCaFile }: TlsConfig): void {
  const certificate = sound(`QSCOPE_TLS_CERT_FILE: ${certFile} is no certificate in PEM`, () => {
    return new X509Certificate(material.cert)
  })
  if (isEncryptedKey(material.key)) throw new UnsoundTls(`QSCOPE_TLS_KEY_FILE: ${encryptedKeyProblem(keyFile)}`)
  const key = sound(`QSCOPE_TLS_KEY_FILE: ${keyFile} is no private key in PEM`, () => createPrivateKey(material.key))
  if (!certificate.checkPrivateKey(key)) {
    throw new UnsoundTls(`QSCOPE_TLS_KEY_FILE: ${keyFile} is not the key of the certificate ${certFile}`)
  }
  const { clientCa } = material
  if (clientCa !== null) {
    sound(`QSCOPE_TLS_CLIENT_CA_FILE: ${clientCaFile} is no certificate in PEM`, () => new X509Certificate(clientCa))
  }
  sound('QSCOPE_TLS_CERT_FILE, QSCOPE_TLS_KEY_FILE: no TLS server can use them', () => {
    return createSecureContext(contextOf(material))
  })
}

function sound<T>(problem: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw new UnsoundTls(`${problem} (${messageOf(error)})`, { cause: error })
  }
}

async function readNamed(name: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new Error(`${name}: ${path} cannot be read (${messageOf(error)})`, { cause: error })
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  const { clientCa } = one
  const sameCa =
    clientCa === null ? other.clientCa === null : other.clientCa !== null && clientCa.equals(other.clientCa)
  return sameCa && one.cert.equals(other.cert) && one.key.equals(other.key)
}

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import type { TlsConfig } from '../../config/rules.ts'
import type { Logger } from '../../context.ts'
import { messageOf } from '../../message-of.ts'
import {
  type ClientCertificates,
  contextOf,
  encryptedKeyProblem,
  isEncryptedKey,
  type TlsMaterial,
  type TlsSource,
} from '../../transports/tls.ts'
import { BackgroundJob } from '../jobs/background-job.ts'

const CANNOT_BE_USED = 'the TLS files cannot be used; the previous certificate stays in use'
/** The files are replaced one by one. They are read again after this time, until they no longer change. */
const SETTLE_MS = 100

/** The TLS files of a server. They are read again when they change. */
export class TlsFiles implements TlsSource {
  readonly clients: ClientCertificates
  readonly #config: TlsConfig
  readonly #log: Logger
  readonly #job: BackgroundJob
  readonly #listeners: ((material: TlsMaterial) => void)[] = []
  /** The material of the last read, usable or not. */
  #read: TlsMaterial
  #material: TlsMaterial

  private constructor(config: TlsConfig, log: Logger, material: TlsMaterial) {
    this.#config = config
    this.#log = log
    this.#read = material
    this.#material = material
    this.clients = config.clientAuth
    this.#job = new BackgroundJob({
      log,
      delayMs: () => config.reloadIntervalMs,
      run: () => this.#readIfChanged(),
      failureMessage: CANNOT_BE_USED,
      failureLevel: 'error',
    })
    this.#job.start()
  }

  /** Throws an error of one line if the files are unusable at the start. */
  static async open(config: TlsConfig, log: Logger): Promise<TlsFiles> {
    const material = await readTlsFiles(config)
    assertUsable(material, config)
    return new TlsFiles(config, log, material)
  }

  /** The last usable material. */
  get material(): TlsMaterial {
    return this.#material
  }

  /** Calls the listener with each new material. */
  onReplaced(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener)
  }

  /** Reads the files now. If they are unusable, it logs the error and keeps the current material. */
  async reload(): Promise<void> {
    await this.#job.run()
  }

  /** Stops reading the files. */
  stop(): void {
    this.#job.stop()
  }

  async #readIfChanged(): Promise<void> {
    const found = await this.#readComplete()
    if (isSame(found, this.#read)) return
    this.#read = found
    try {
      assertUsable(found, this.#config)
    } catch (error) {
      // Logged once for each change, not at every check.
      this.#log.error({ err: error }, CANNOT_BE_USED)
      return
    }
    this.#material = found
    for (const listener of this.#listeners) listener(found)
    this.#log.info({ notAfter: new X509Certificate(found.cert).validTo }, 'TLS certificate replaced')
  }

  /** Reads the files. If they have changed, waits until they are stable. */
  async #readComplete(): Promise<TlsMaterial> {
    for (let before = this.#read; ; await sleep(SETTLE_MS, undefined, { ref: false })) {
      const found = await readTlsFiles(this.#config)
      if (isSame(found, before)) return found
      before = found
    }
  }
}

/** Throws an error of one line that names the variable. */
export async function readTlsFiles({ certFile, keyFile, clientCaFile }: TlsConfig): Promise<TlsMaterial> {
  // Read in sequence, so the error names the first file that is missing.
  const cert = await readNamed('QSCOPE_TLS_CERT_FILE', certFile)
  const key = await readNamed('QSCOPE_TLS_KEY_FILE', keyFile)
  const clientCa = clientCaFile === null ? null : await readNamed('QSCOPE_TLS_CLIENT_CA_FILE', clientCaFile)
  return { cert, key, clientCa }
}

/** Throws an error of one line if a server could not use this material. */
export function assertUsable(material: TlsMaterial, { certFile, keyFile, clientCaFile }: TlsConfig): void {
  const certificate = parsed(`QSCOPE_TLS_CERT_FILE: ${certFile} is not a certificate in PEM`, () => {
    return new X509Certificate(material.cert)
  })
  if (isEncryptedKey(material.key)) throw new Error(`QSCOPE_TLS_KEY_FILE: ${encryptedKeyProblem(keyFile)}`)
  const key = parsed(`QSCOPE_TLS_KEY_FILE: ${keyFile} is not a private key in PEM`, () =>
    createPrivateKey(material.key),
  )
  if (!certificate.checkPrivateKey(key)) {
    throw new Error(`QSCOPE_TLS_KEY_FILE: ${keyFile} is not the key of the certificate ${certFile}`)
  }
  const { clientCa } = material
  if (clientCa !== null) {
    parsed(
      `QSCOPE_TLS_CLIENT_CA_FILE: ${clientCaFile} is not a certificate in PEM`,
      () => new X509Certificate(clientCa),
    )
  }
  parsed('QSCOPE_TLS_CERT_FILE, QSCOPE_TLS_KEY_FILE: no TLS server can use them', () => {
    return createSecureContext(contextOf(material))
  })
}

function parsed<T>(problem: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new Error(`${problem} (${messageOf(error)})`, { cause: error })
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

import type { Config } from '../config/config.ts'
import { readTrustedIssuers } from '../config/trusted-issuers.ts'
import { readKeyringFile } from '../crypto/keyring-file.ts'
import type { KeyLocation, TrustedIssuer } from '../domain/trusted-issuer.ts'
import type { Logger } from '../logger.ts'
import { messageOf } from '../message-of.ts'
import { fetchIssuerKeys } from './issuer-keys.ts'
import { insistOnSound, readFiles } from './tls-files.ts'

/** What a running server reads again when it is asked to. */
export const RELOADED = Object.freeze(['TLS files', 'keyring', 'trusted issuers'] as const)
export type ReloadedPart = (typeof RELOADED)[number]

/** What was read again and can be used. */
export interface Reload {
  readonly parts: readonly ReloadedPart[]
  /** `null`: they stay as they are. */
  readonly trustedIssuers: readonly TrustedIssuer[] | null
}

/**
 * Reads the files that the configuration names. What cannot be used is logged in
 * one line and left out, so that what was read before goes on.
 */
export async function readAgain(config: Config, log: Logger): Promise<Reload> {
  const parts: ReloadedPart[] = []
  let trustedIssuers: readonly TrustedIssuer[] | null = null
  const attempt = async (part: ReloadedPart, read: () => Promise<void>) => {
    try {
      await read()
      parts.push(part)
    } catch (error) {
      log.error({ part, problem: messageOf(error) }, `the ${part} cannot be reloaded; what was read before goes on`)
    }
  }
  const { tls, keyringFile, trustedIssuersFile } = config
  if (tls !== null) await attempt('TLS files', async () => insistOnSound(await readFiles(tls), tls))
  if (keyringFile !== null) {
    await attempt('keyring', async () => {
      if (readKeyringFile(keyringFile) === null) throw new Error(`the keyring file ${keyringFile} is gone`)
    })
  }
  if (trustedIssuersFile !== null) {
    await attempt('trusted issuers', async () => {
      const { issuers, problems } = readTrustedIssuers(trustedIssuersFile, config.issuer)
      if (problems.length > 0) throw new Error(`${trustedIssuersFile}: ${problems.join('; ')}`)
      for (const { issuer, keys } of issuers) {
        if (keys.kind === 'file') await insistOnKeys(issuer, keys)
      }
      trustedIssuers = issuers
    })
  }
  return { parts, trustedIssuers }
}

async function insistOnKeys(issuer: string, location: KeyLocation): Promise<void> {
  try {
    await fetchIssuerKeys(location)
  } catch (error) {
    throw new Error(`the keys of ${issuer} cannot be used: ${messageOf(error)}`, { cause: error })
  }
}

/** Calls back at each SIGHUP, one call after the other; what came meanwhile is one more. */
export function onHangUp(reload: () => Promise<void>): () => void {
  let running = false
  let asked = false
  const run = async () => {
    running = true
    while (asked) {
      asked = false
      await reload()
    }
    running = false
  }
  const onSignal = () => {
    asked = true
    if (!running) void run()
  }
  process.on('SIGHUP', onSignal)
  return () => process.off('SIGHUP', onSignal)
}

import type { Config } from '../config/config.ts'
import { readTrustedIssuers } from '../config/trusted-issuers.ts'
import type { Logger } from '../context.ts'
import { readKeyringFile } from '../crypto/keyring-file.ts'
import type { KeyLocation, TrustedIssuer } from '../domain/trusted-issuer.ts'
import { messageOf } from '../message-of.ts'
import type { Reload, ReloadedPart } from './cluster/lifecycle.ts'
import { fetchIssuerKeys } from './issuer-keys.ts'
import { assertUsable, readTlsFiles } from './tls-files.ts'

/**
 * Reads again the files that the configuration names. What cannot be used is logged
 * in one line and left out, so that what was read before stays in use.
 */
export async function prepareReload(config: Config, log: Logger): Promise<Reload> {
  const parts: ReloadedPart[] = []
  let trustedIssuers: readonly TrustedIssuer[] | null = null
  const attempt = async (part: ReloadedPart, read: () => Promise<void>) => {
    try {
      await read()
      parts.push(part)
    } catch (error) {
      log.error(
        { part, problem: messageOf(error) },
        `the ${part} cannot be reloaded; what was read before stays in use`,
      )
    }
  }
  const { tls, keyringFile, trustedIssuersFile } = config
  if (tls !== null) await attempt('TLS files', async () => assertUsable(await readTlsFiles(tls), tls))
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
        if (keys.kind === 'file') await assertKeysUsable(issuer, keys)
      }
      trustedIssuers = issuers
    })
  }
  return { parts, trustedIssuers }
}

async function assertKeysUsable(issuer: string, location: KeyLocation): Promise<void> {
  try {
    await fetchIssuerKeys(location)
  } catch (error) {
    throw new Error(`the keys of ${issuer} cannot be used: ${messageOf(error)}`, { cause: error })
  }
}

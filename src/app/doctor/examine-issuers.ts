import type { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/problems.ts'
import { clientId } from '../../domain/ids.ts'
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { Logger } from '../../logger.ts'
import { messageOf } from '../../message-of.ts'
import { type App, systemContext } from '../app.ts'
import { fetchIssuerKeys } from '../issuer-keys.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const CHECK = 'trusted issuers'

/**
 * Throws `ConfigError` with every key set of a trusted issuer that is a file and cannot be
 * used. Those with a URL are left for later: another server that is down must not stop this one.
 */
export async function insistOnIssuerKeyFiles({ trustedIssuers }: Config): Promise<void> {
  const files = trustedIssuers.filter(({ keys }) => keys.kind === 'file')
  const problems = await Promise.all(files.map(keysProblem))
  const told = problems.filter((each) => each !== null)
  if (told.length > 0) throw new ConfigError(told.map((text) => `QSCOPE_TRUSTED_ISSUERS_FILE: ${text}`))
}

/** Whether the keys of each trusted issuer can be had, wherever they are. */
export async function issuerKeyFindings({ trustedIssuers }: Config): Promise<readonly Finding[]> {
  return await Promise.all(
    trustedIssuers.map(async (terms) => {
      const text = await keysProblem(terms)
      if (text === null) return ok(CHECK, `the keys of ${terms.issuer} can be used`)
      const consequence =
        terms.keys.kind === 'file'
          ? 'the server would not start'
          : 'until then its assertions are refused as unavailable'
      return problem(CHECK, text, `correct the key set or QSCOPE_TRUSTED_ISSUERS_FILE; ${consequence}`)
    }),
  )
}

/** Compares the rules of trusted issuers with the clients that they name. */
export async function issuerRuleFindings({ backend, trustedIssuers }: App, log: Logger): Promise<readonly Finding[]> {
  const misfits = await Promise.all(
    Array.from(trustedIssuers.byIssuer.values(), ({ terms }) => misfitsOf(terms, backend, log)),
  )
  const advice = 'correct the rule in QSCOPE_TRUSTED_ISSUERS_FILE, or the client'
  return misfits.flat().map((text) => warning(CHECK, text, advice))
}

async function keysProblem({ issuer, keys }: TrustedIssuer): Promise<string | null> {
  try {
    await fetchIssuerKeys(keys)
    return null
  } catch (error) {
    return `the ${keys.kind === 'file' ? 'jwks_file' : 'jwks_url'} of ${issuer} cannot be used: ${messageOf(error)}`
  }
}

async function misfitsOf(
  { issuer, rules }: TrustedIssuer,
  backend: App['backend'],
  log: Logger,
): Promise<readonly string[]> {
  const found = await Promise.all(
    rules.map(async (rule, index) => {
      const client = await backend.reads.clients.find(systemContext(log), clientId(rule.clientId))
      const place = `rule ${index} of ${issuer}`
      if (client === null) return [`${place} names the client ${rule.clientId}, which does not exist`]
      const misfits: string[] = []
      if (!client.enabled) misfits.push(`${place} names the client ${rule.clientId}, which is disabled`)
      if (!client.grantTypes.includes('jwt_bearer')) {
        misfits.push(`${place} names the client ${rule.clientId}, which may not use the grant jwt_bearer`)
      }
      const beyond = rule.scopes.filter((scope) => !client.scopes.includes(scope))
      if (beyond.length > 0) {
        misfits.push(`${place} gives scopes that the client ${rule.clientId} does not have: ${beyond.join(' ')}`)
      }
      return misfits
    }),
  )
  return found.flat()
}

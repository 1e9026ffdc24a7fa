import { isDeepStrictEqual } from 'node:util'
import type { TrustedIssuers } from '../../auth/trusted-issuers.ts'
import type { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/problems.ts'
import { backgroundContext, type Logger } from '../../context.ts'
import { clientId } from '../../domain/ids.ts'
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts'
import { messageOf } from '../../message-of.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { fetchIssuerKeys, IssuerKeys, type IssuerKeysOptions } from './issuer-keys.ts'

/** The issuers whose assertions stand for clients, by `iss`; they can be replaced while calls are answered. */
export class TrustedIssuerSet {
  readonly #options: IssuerKeysOptions
  readonly #issuers = new Map<string, IssuerKeys>()

  constructor(trusted: readonly TrustedIssuer[], options: IssuerKeysOptions) {
    this.#options = options
    for (const terms of trusted) this.#issuers.set(terms.issuer, new IssuerKeys(terms, options))
  }

  /** As they are at the moment. */
  get byIssuer(): TrustedIssuers {
    return this.#issuers
  }

  /** Of an issuer whose terms are as before, the keys are fetched again. If that fails, those that were fetched last stay in use. */
  async replace(trusted: readonly TrustedIssuer[]): Promise<void> {
    const before = new Map(this.#issuers)
    this.#issuers.clear()
    const kept: IssuerKeys[] = []
    for (const terms of trusted) {
      const known = before.get(terms.issuer)
      if (known !== undefined && isDeepStrictEqual(known.terms, terms)) {
        kept.push(known)
        this.#issuers.set(terms.issuer, known)
      } else this.#issuers.set(terms.issuer, new IssuerKeys(terms, this.#options))
    }
    await Promise.all(kept.map((issuer) => issuer.refetch()))
  }
}

/**
 * Throws `ConfigError` with every key set of a trusted issuer that is a file and cannot be
 * used. Those with a URL are left for later: another server that is down must not stop this one.
 */
export async function assertIssuerKeyFiles({ trustedIssuers }: Config): Promise<void> {
  const files = trustedIssuers.filter(({ keys }) => keys.kind === 'file')
  const problems = (await Promise.all(files.map(issuerKeyProblem))).filter((problem) => problem !== null)
  if (problems.length > 0) throw new ConfigError(problems.map((text) => `QSCOPE_TRUSTED_ISSUERS_FILE: ${text}`))
}

/** Why the keys of an issuer cannot be used now, wherever they are; `null`: they can. */
export async function issuerKeyProblem({ issuer, keys }: TrustedIssuer): Promise<string | null> {
  try {
    await fetchIssuerKeys(keys)
    return null
  } catch (error) {
    return `the ${keys.kind === 'file' ? 'jwks_file' : 'jwks_url'} of ${issuer} cannot be used: ${messageOf(error)}`
  }
}

/** What to do about a rule that does not fit its client. */
export const RULE_ADVICE = 'correct the rule in QSCOPE_TRUSTED_ISSUERS_FILE, or the client'

/** The rules of trusted issuers that do not fit the clients they name. */
export async function issuerRuleProblems(
  trusted: TrustedIssuerSet,
  backend: Pick<Backend, 'reads'>,
  log: Logger,
): Promise<readonly string[]> {
  const all = await Promise.all(Array.from(trusted.byIssuer.values(), ({ terms }) => ruleProblems(terms, backend, log)))
  return all.flat()
}

async function ruleProblems(
  { issuer, rules }: TrustedIssuer,
  backend: Pick<Backend, 'reads'>,
  log: Logger,
): Promise<readonly string[]> {
  const ctx = backgroundContext('trusted-issuers', log)
  const found = await Promise.all(
    rules.map(async (rule, index) => {
      const client = await backend.reads.clients.find(ctx, clientId(rule.clientId))
      const place = `rule ${index} of ${issuer}`
      if (client === null) return [`${place} names the client ${rule.clientId}, which does not exist`]
      const problems: string[] = []
      if (!client.enabled) problems.push(`${place} names the client ${rule.clientId}, which is disabled`)
      if (!client.grantTypes.includes('jwt_bearer')) {
        problems.push(`${place} names the client ${rule.clientId}, which may not use the grant jwt_bearer`)
      }
      const beyond = rule.scopes.filter((scope) => !client.scopes.includes(scope))
      if (beyond.length > 0) {
        problems.push(`${place} gives scopes that the client ${rule.clientId} does not have: ${beyond.join(' ')}`)
      }
      return problems
    }),
  )
  return found.flat()
}

import type { TrustedIssuers } from '../../auth/trusted-issuers.ts'
import type { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/problems.ts'
import { backgroundContext, type Logger } from '../../context.ts'
import { clientId } from '../../domain/ids.ts'
import type { KeyLocation, TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { DocumentFetcher } from './document-fetcher.ts'
import { KeyReader } from './key-reader.ts'

/**
 * Throws `ConfigError` with every unusable key set file of a trusted issuer. Key sets with a URL are not read here: an
 * outage of another server must not prevent the start of this one.
 */
export async function assertIssuerKeyFiles({ trustedIssuers, trustPrivateHosts }: Config): Promise<void> {
  const reader = keyReaderOf({ trustPrivateHosts })
  const files = trustedIssuers.filter(({ keys }) => keys.kind === 'file')
  const problems = (await Promise.all(files.map((terms) => issuerKeyProblem(terms, reader)))).filter(
    (problem) => problem !== null,
  )
  if (problems.length > 0) throw new ConfigError(problems.map((text) => `QSCOPE_TRUSTED_ISSUERS_FILE: ${text}`))
}

const NO_HOSTS = Object.freeze({ names: [], networks: [] })

/** Creates a key reader with the settings of a server with this configuration. */
export function keyReaderOf({ trustPrivateHosts: privateHosts }: Pick<Config, 'trustPrivateHosts'>): KeyReader {
  return new KeyReader(new DocumentFetcher({ privateHosts: privateHosts ?? NO_HOSTS }))
}

const KEYS = {
  file: 'jwks_file',
  url: 'jwks_url',
  inline: 'jwks',
  discovery: 'discovered keys',
} as const satisfies Record<KeyLocation['kind'], string>

/** The reason why the keys of an issuer are unusable now, from any source. `null`: they are usable. */
export async function issuerKeyProblem(terms: TrustedIssuer, reader: KeyReader): Promise<string | null> {
  const read = await reader.read(terms)
  return read.ok ? null : `the ${KEYS[terms.keys.kind]} of ${terms.issuer} cannot be used: ${read.problem}`
}

/** A rule that does not fit the client it names, and the remedy. */
export interface RuleProblem {
  readonly text: string
  readonly advice: string
}

/** The rules of trusted issuers that do not fit the clients they name. */
export async function issuerRuleProblems(
  trusted: TrustedIssuers,
  backend: Pick<Backend, 'reads'>,
  log: Logger,
): Promise<readonly RuleProblem[]> {
  const issuers = await trusted.all(backgroundContext('trusted-issuers', log))
  const all = await Promise.all(issuers.map((terms) => ruleProblems(terms, backend, log)))
  return all.flat()
}

async function ruleProblems(
  { issuer, rules, origin }: TrustedIssuer,
  backend: Pick<Backend, 'reads'>,
  log: Logger,
): Promise<readonly RuleProblem[]> {
  const ctx = backgroundContext('trusted-issuers', log)
  const where = origin === 'file' ? 'in QSCOPE_TRUSTED_ISSUERS_FILE' : 'by UpdateTrustedIssuer'
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
  return found.flat().map((text) => ({ text, advice: `correct the rule ${where}, or the client` }))
}

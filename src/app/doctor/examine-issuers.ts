import type { Config } from '../../config/config.ts'
import { backgroundContext, type Logger } from '../../context.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { issuerKeyProblem, issuerRuleProblems, keyReaderOf } from '../trust/issuer-problems.ts'
import type { TrustedIssuerSet } from '../trust/trusted-issuers.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const CHECK = 'trusted issuers'

/** Whether the keys of each trusted issuer can be fetched, at any location. */
export async function issuerKeyFindings({ trustedIssuers, trustPrivateHosts }: Config): Promise<readonly Finding[]> {
  const reader = keyReaderOf({ trustPrivateHosts })
  return await Promise.all(
    trustedIssuers.map(async (terms) => {
      const text = await issuerKeyProblem(terms, reader)
      if (text === null) return ok(CHECK, `the keys of ${terms.issuer} can be used`)
      const consequence =
        terms.keys.kind === 'file'
          ? 'the server does not start with it'
          : 'until then, its assertions are answered UNAVAILABLE'
      return problem(CHECK, text, `correct the key set or QSCOPE_TRUSTED_ISSUERS_FILE; ${consequence}`)
    }),
  )
}

/** So many key sets are fetched at once. */
const FETCHED_TOGETHER = 8

/** Whether the keys of issuers of the database can be used, with one finding for all that can, and whether the file hides one of them. */
export async function registeredIssuerFindings(
  trustedIssuers: TrustedIssuerSet,
  backend: Pick<Backend, 'reads'>,
  config: Pick<Config, 'trustPrivateHosts'>,
  log: Logger,
): Promise<readonly Finding[]> {
  const ctx = backgroundContext('doctor', log)
  const reader = keyReaderOf(config)
  const registered = (await trustedIssuers.all(ctx)).filter(({ origin }) => origin === 'api')
  const findings: Finding[] = []
  for (let at = 0; at < registered.length; at += FETCHED_TOGETHER) {
    const together = registered.slice(at, at + FETCHED_TOGETHER)
    for (const text of await Promise.all(together.map((terms) => issuerKeyProblem(terms, reader)))) {
      if (text === null) continue
      findings.push(
        warning(
          CHECK,
          text,
          'correct the key set, or UpdateTrustedIssuer; until then, its assertions are answered UNAVAILABLE',
        ),
      )
    }
  }
  const usable = registered.length - findings.length
  if (usable > 0) {
    const issuers = usable === 1 ? '1 issuer' : `${usable} issuers`
    findings.unshift(ok(CHECK, `the keys of ${issuers} of the database can be used`))
  }
  const names = [...trustedIssuers.ofFile.keys()]
  const hidden = await Promise.all(names.map((issuer) => backend.reads.trustedIssuers.find(ctx, issuer)))
  for (const found of hidden) {
    if (found === null) continue
    const text = `${found.issuer} of the database does not count: QSCOPE_TRUSTED_ISSUERS_FILE names it, too`
    findings.push(warning(CHECK, text, 'take one of them away: the file first, to change or delete the other'))
  }
  return findings
}

/** Compares the rules of trusted issuers with the clients that they name. */
export async function issuerRuleFindings(
  trustedIssuers: TrustedIssuerSet,
  backend: Backend,
  log: Logger,
): Promise<readonly Finding[]> {
  const problems = await issuerRuleProblems(trustedIssuers, backend, log)
  return problems.map(({ text, advice }) => warning(CHECK, text, advice))
}

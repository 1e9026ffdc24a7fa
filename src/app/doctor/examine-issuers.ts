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
          : 'until then, its assertions are refused with UNAVAILABLE'
      return problem(CHECK, text, `correct the key set or QSCOPE_TRUSTED_ISSUERS_FILE; ${consequence}`)
    }),
  )
}

/** The number of key sets that are read at the same time. */
const READ_TOGETHER = 16
/** GetServerStatus waits for these reads, so no read begins later. One that has begun ends by its own time limit. */
const PATIENCE_MS = 10_000

/**
 * Whether the keys of issuers of the database can be used, with one finding for all that can, and whether the file hides one
 * of them. The keys that were not read within `patienceMs` milliseconds are one finding.
 */
export async function registeredIssuerFindings(
  trustedIssuers: TrustedIssuerSet,
  backend: Pick<Backend, 'reads'>,
  config: Pick<Config, 'trustPrivateHosts'>,
  log: Logger,
  patienceMs = PATIENCE_MS,
): Promise<readonly Finding[]> {
  const ctx = backgroundContext('doctor', log)
  const until = performance.now() + patienceMs
  const reader = keyReaderOf(config)
  const registered = (await trustedIssuers.all(ctx)).filter(({ origin }) => origin === 'api')
  const findings: Finding[] = []
  let examined = 0
  while (examined < registered.length && performance.now() <= until) {
    const together = registered.slice(examined, examined + READ_TOGETHER)
    examined += together.length
    for (const text of await Promise.all(together.map((terms) => issuerKeyProblem(terms, reader)))) {
      if (text === null) continue
      findings.push(
        warning(
          CHECK,
          text,
          'correct the key set, or UpdateTrustedIssuer; until then, its assertions are refused with UNAVAILABLE',
        ),
      )
    }
  }
  const usable = examined - findings.length
  if (usable > 0) findings.unshift(ok(CHECK, `the keys of ${issuersOf(usable)} of the database can be used`))
  if (examined < registered.length) {
    const text = `the keys of ${issuersOf(registered.length - examined)} of the database were not read within ${patienceMs / 1_000} s`
    findings.push(
      warning(CHECK, text, 'correct the key sets that cannot be used; see qscope_key_set_reads_total for the others'),
    )
  }
  const names = [...trustedIssuers.ofFile.keys()]
  const hidden = await Promise.all(names.map((issuer) => backend.reads.trustedIssuers.find(ctx, issuer)))
  for (const found of hidden) {
    if (found === null) continue
    const text = `${found.issuer} of the database is ignored, because QSCOPE_TRUSTED_ISSUERS_FILE also has it`
    findings.push(
      warning(
        CHECK,
        text,
        'remove one of the two; to change or delete the one in the database, first remove the one in the file',
      ),
    )
  }
  return findings
}

function issuersOf(count: number): string {
  return count === 1 ? '1 issuer' : `${count} issuers`
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

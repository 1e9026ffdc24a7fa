import type { Config } from '../../config/config.ts'
import type { Logger } from '../../context.ts'
import type { Backend } from '../../stores/contract/backend.ts'
import { issuerKeyProblem, issuerRuleProblems, keyReaderOf } from '../trust/issuer-problems.ts'
import type { TrustedIssuerSet } from '../trust/trusted-issuers.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const CHECK = 'trusted issuers'

/** Whether the keys of each trusted issuer can be fetched, wherever they are. */
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

/** Compares the rules of trusted issuers with the clients that they name. */
export async function issuerRuleFindings(
  trustedIssuers: TrustedIssuerSet,
  backend: Backend,
  log: Logger,
): Promise<readonly Finding[]> {
  const problems = await issuerRuleProblems(trustedIssuers, backend, log)
  return problems.map(({ text, advice }) => warning(CHECK, text, advice))
}

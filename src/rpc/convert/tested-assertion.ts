import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AssertionUse as DomainAssertionUse } from '../../auth/assertion-examiner.ts'
import type { TestedAssertion } from '../../flows/trust/test-assertion.ts'
import { AssertionUse, type TestAssertionResponseSchema } from '../../gen/qscope/v1/trust_service_pb.ts'
import { toVerdict } from './explanation.ts'

/** UNSPECIFIED means a grant. */
export function fromAssertionUse(use: AssertionUse): DomainAssertionUse {
  return use === AssertionUse.CLIENT_AUTHENTICATION ? 'client_authentication' : 'authorization_grant'
}

export function toTestedAssertion(tested: TestedAssertion): MessageInitShape<typeof TestAssertionResponseSchema> {
  return {
    verdict: toVerdict(tested.verdict),
    checks: [...tested.checks],
    issuer: tested.issuer ?? '',
    subject: tested.subject ?? '',
    clientId: tested.clientId ?? '',
    scopes: [...tested.scopes],
    ...(tested.tokenClaims !== null && { tokenClaims: { ...tested.tokenClaims } }),
  }
}

import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  SubjectType,
  type TokenClaimsSchema,
  TokenUse,
} from '../../../../packages/client/src/gen/qscope/v1/token_pb.ts'
import { finished, revocationKey, table } from './cases.ts'

/** The answer of the server about a finished token of the table. */
export function claimsOf(
  value: string,
  keys?: readonly string[] | undefined,
): MessageInitShape<typeof TokenClaimsSchema> {
  const [name = ''] = Object.entries(finished.tokens).find(([, token]) => token === value) ?? []
  const token = table.tokens[name]
  if (token === undefined) throw new Error(`${value} is no token of the table`)
  const claims = { ...table.claims, ...token.claims }
  return {
    tokenId: name,
    clientId: claims.client_id,
    subject: claims.subject,
    subjectType: SubjectType.CLIENT,
    scopes: [...claims.scopes],
    audiences: claims.audiences.map((audience) => audience.replace('$audience', table.audience)),
    issueTime: timestampFromMs((table.clock + claims.issued_in) * 1_000),
    expireTime: timestampFromMs((table.clock + claims.expires_in) * 1_000),
    tokenUse: token.token_use === 'refresh' ? TokenUse.REFRESH : TokenUse.ACCESS,
    issuer: table.issuer,
    extra: claims.extra,
    revocationKeys: (keys ?? token.keys).map(revocationKey),
    ...(claims.certificate !== null && {
      confirmation: { x5tS256: table.certificates[claims.certificate] ?? '' },
    }),
  }
}

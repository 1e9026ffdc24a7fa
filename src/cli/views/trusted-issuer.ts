import {
  type AssertionRule,
  type TrustedIssuer,
  TrustedIssuerKindSchema,
} from '../../gen/qscope/v1/trust_service_pb.ts'
import { nameOf } from '../options/options.ts'
import { yesNo } from '../output/cell.ts'
import { durationText, entriesText, listText, type Pair, timeText, type View } from '../output/output.ts'

export const trustedIssuerView: View<TrustedIssuer> = {
  name: ({ issuer }) => issuer,
  columns: [
    { heading: 'ISSUER', value: ({ issuer }) => issuer, whole: true },
    { heading: 'NAME', value: ({ displayName }) => displayName, wide: true },
    { heading: 'KIND', value: ({ kind }) => nameOf(TrustedIssuerKindSchema, kind) },
    { heading: 'KEYS', value: keysText },
    { heading: 'CLIENTS', value: ({ rules }) => listText([...new Set(rules.map(({ clientId }) => clientId))]) },
    { heading: 'READ ONLY', value: ({ readOnly }) => yesNo(readOnly), wide: true },
  ],
  pairs: (issuer) => [
    ['issuer', issuer.issuer],
    ['name', issuer.displayName],
    ['kind', nameOf(TrustedIssuerKindSchema, issuer.kind)],
    ['trust domain', issuer.trustDomain],
    ['keys', keysText(issuer)],
    ['audience', issuer.audience],
    ['single use', yesNo(issuer.singleUse)],
    ['max lifetime', durationText(issuer.maxLifetime)],
    ...issuer.rules.map((rule, index): Pair => [`rule ${index}`, ruleText(rule)]),
    ['owner', issuer.owner],
    ['read only', yesNo(issuer.readOnly)],
    ['etag', issuer.etag],
    ...(issuer.createTime === undefined
      ? []
      : ([
          ['created', `${timeText(issuer.createTime)} by ${issuer.createdBy}`],
          ['updated', `${timeText(issuer.updateTime)} by ${issuer.updatedBy}`],
        ] as const)),
  ],
}

function keysText({ keys, readOnly }: TrustedIssuer): string {
  switch (keys.case) {
    case 'jwks':
      return 'inline'
    case 'jwksUri':
      return keys.value
    case 'discovery':
      return 'discovery'
    case undefined:
      return readOnly ? 'file' : ''
    default:
      return keys satisfies never
  }
}

function ruleText({ claims, condition, clientId, scopes }: AssertionRule): string {
  const holds = [entriesText(claims), condition].filter((text) => text !== '').join(' and ')
  return `${holds} is ${clientId} with ${listText(scopes)}`
}

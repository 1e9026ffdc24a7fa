import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FederatedIdentity, FederatedIdentitySchema } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { linesIn, textsOf } from '../../text.ts'

/** An issuer, a subject, and perhaps claims as an object of JSON. */
const LINE = /^(\S+)\s+(\S+)(?:\s+(.+))?$/

/** A line for each identity, such as `https://ci.example job:deploy {"ref":"refs/heads/main"}`. */
export function identityLines(identities: readonly FederatedIdentity[]): string[] {
  return identities.map(({ issuer, subject, requiredClaims }) => {
    const claims = Object.keys(requiredClaims).length === 0 ? [] : [JSON.stringify(requiredClaims)]
    return [issuer, subject, ...claims].join(' ')
  })
}

/** The identities of such lines. What cannot be read is sent as what the server refuses: it says what is wrong. */
export function identitiesOf(text: string): MessageInitShape<typeof FederatedIdentitySchema>[] {
  return linesIn(text).map((line) => {
    const [, issuer = line, subject = '', claims] = LINE.exec(line) ?? []
    return { issuer, subject, requiredClaims: claims === undefined ? {} : textsOf(claims) }
  })
}

import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FederatedIdentity, FederatedIdentitySchema } from '../../../../src/gen/qscope/v1/client_pb.ts'

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
    return { issuer, subject, requiredClaims: claims === undefined ? {} : claimsOf(claims) }
  })
}

/** The lines of a text that hold something. */
export function linesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** A claim without a name is refused. */
function claimsOf(json: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(json)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value).map(([name, claim]) => [name, String(claim)]))
    }
  } catch {
    // As any other value that is no object.
  }
  return { '': json }
}

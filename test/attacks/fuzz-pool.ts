import { pkcePair } from '../setup/grants.ts'

const MOST = 100
const PKCE = pkcePair()
/** Fields of requests, and the fields of answers that provide their values. */
const SOURCES: Readonly<Record<string, string>> = {
  token: 'accessToken',
  tokens: 'accessToken',
  subjectToken: 'accessToken',
  actorToken: 'accessToken',
  actorTokenType: 'subjectTokenType',
  requestedTokenType: 'subjectTokenType',
  pageToken: 'nextPageToken',
  redirectUri: 'redirectUris',
  requiredScopes: 'scopes',
  exportedHead: 'head',
  eventTypes: 'eventType',
}
const BEFOREHAND: Readonly<Record<string, readonly string[]>> = {
  scopes: ['orders'],
  redirectUris: ['https://app.example/callback'],
  subjectTokenType: ['urn:ietf:params:oauth:token-type:access_token'],
  codeChallenge: [PKCE.challenge],
  codeVerifier: [PKCE.verifier],
  externalId: ['somebody', 'nobody'],
  nextPageToken: [''],
  paths: ['display_name', 'scopes', 'config.access_token_ttl', 'jwks', 'enabled'],
}

/** Values from answers of the server, by the name of the field; `reserved` values are needed by the attack itself. */
export function createPool(reserved: ReadonlySet<string>) {
  const byName = new Map(Object.entries(BEFOREHAND).map(([name, values]) => [name, [...values]]))

  function learn(value: unknown, name = ''): void {
    if (typeof value === 'string') {
      const values = byName.get(name) ?? []
      if (reserved.has(value) || values.includes(value)) return
      values.push(value)
      if (values.length > MOST) values.shift()
      byName.set(name, values)
    } else if (Array.isArray(value)) for (const each of value) learn(each, name)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) if (key !== '$typeName') learn(each, key)
    }
  }

  return {
    learn: (message: object) => learn(message),
    pick(name: string, index: number): string {
      const values = byName.get(SOURCES[name] ?? name) ?? [...byName.values()].flat()
      return values[index % values.length] ?? ''
    },
  }
}

/** The parts of oidc-provider that benchmark and tests use. The package has no types. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http'

  export class Provider {
    constructor(issuer: string, configuration: object)
    callback(): RequestListener
    readonly Client: { find(clientId: string): Promise<object | undefined> }
    readonly IdToken: new (
      claims: object,
      of: { readonly client: object; readonly ctx: undefined },
    ) => { scope: string; issue(options: { readonly use: 'idtoken' }): Promise<string> }
  }
}

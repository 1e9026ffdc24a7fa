/** As much of oidc-provider as benchmark and tests use; the package has no types of its own. */
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

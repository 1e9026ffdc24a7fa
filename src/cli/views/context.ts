import type { JsonValue } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Context, type Login, type NamedContext, securityOf } from '../contexts/context.ts'
import { omitUndefined } from '../options/options.ts'
import { type Cell, state, yesNo } from '../output/cell.ts'
import { listText, type View } from '../output/output.ts'

/** A context, and whether it is in use. */
export interface ShownContext extends NamedContext {
  readonly inUse: boolean
}

export const contextView: View<ShownContext> = {
  name: ({ name }) => name,
  columns: [
    { heading: 'NAME', value: ({ name }) => name, whole: true },
    { heading: 'IN USE', value: ({ inUse }) => (inUse ? state('yes') : '') },
    { heading: 'SERVER', value: ({ context }) => context.server },
    { heading: 'SECURITY', value: ({ context }) => securityText(context) },
    { heading: 'CLIENT ID', value: ({ context }) => context.clientId },
    { heading: 'LOGIN', value: ({ context }) => context.login?.clientId },
  ],
  pairs: ({ name, context, inUse }) => [
    ['name', name],
    ['in use', state(yesNo(inUse))],
    ['server', context.server],
    ['security', securityText(context)],
    ['ca file', context.caFile],
    ['certificate file', context.certFile],
    ['key file', context.keyFile],
    ['client id', context.clientId],
    ['client secret', secretOf(context)],
    ['assertion file', context.clientAssertionFile],
    ['login', context.login?.clientId],
    ['login scopes', listText(context.login?.scopes ?? [])],
    ['access token expires', expiryOf(context.login)],
    ['login is refreshed', context.login === undefined ? null : yesNo(context.login.refreshToken !== null)],
  ],
}

/** The printable properties of a context: no secrets and no tokens. */
export function contextJson({ name, context, inUse }: ShownContext): JsonValue {
  const { server, clientId, clientSecret, clientSecretFile, clientAssertionFile, login } = context
  return {
    name,
    inUse,
    server,
    ...securityOf(context),
    ...omitUndefined({ clientId, clientSecretFile, clientAssertionFile }),
    hasClientSecret: clientSecret !== undefined,
    ...(login !== undefined && {
      login: {
        clientId: login.clientId,
        scopes: [...login.scopes],
        expireTime: login.expireTime,
        hasRefreshToken: login.refreshToken !== null,
      },
    }),
  }
}

function securityText({ tls, caFile, certFile, plaintext }: Context): string {
  if (tls || caFile !== undefined || certFile !== undefined) return 'tls'
  return plaintext ? 'plaintext' : 'plaintext to this machine'
}

function secretOf({ clientSecret, clientSecretFile }: Context): string | null {
  if (clientSecret !== undefined) return '(kept in the context)'
  return clientSecretFile === undefined ? null : `in ${clientSecretFile}`
}

function expiryOf(login: Login | undefined): Cell {
  return login === undefined ? null : timestampFromMs(Date.parse(login.expireTime))
}

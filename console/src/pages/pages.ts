import type { ComponentType } from 'preact'
import type { Permission } from '../api/permissions.ts'
import type { Route } from '../route.ts'
import { AuditPage } from './audit/audit-page.tsx'
import { ClientPage } from './clients/client-page.tsx'
import { DevicePage } from './devices/device-page.tsx'
import { Inspector } from './inspector.tsx'
import { IssuerPage } from './issuers/issuer-page.tsx'
import { KeysPage } from './keys/keys-page.tsx'
import { Overview } from './overview.tsx'
import { TokenPage } from './tokens/token-page.tsx'
import { UserPage } from './users/user-page.tsx'

export interface PageEntry {
  readonly path: string
  readonly title: string
  /** Without it the page shows nothing. */
  readonly permission: Permission
  readonly page: ComponentType<{ readonly route: Route }>
  /** Further paths of its own. */
  readonly others?: readonly string[]
}

/** The pages, in the order in which they are offered. */
export const PAGES: readonly PageEntry[] = [
  { path: '', title: 'Overview', permission: 'qscope:server.read', page: Overview },
  {
    path: 'clients',
    title: 'Clients',
    permission: 'qscope:clients.read',
    page: ClientPage,
    others: ['register-client'],
  },
  { path: 'users', title: 'Users', permission: 'qscope:users.read', page: UserPage, others: ['register-user'] },
  {
    path: 'issuers',
    title: 'Trusted issuers',
    permission: 'qscope:trust.read',
    page: IssuerPage,
    others: ['create-issuer', 'test-assertion'],
  },
  { path: 'tokens', title: 'Tokens and grants', permission: 'qscope:tokens.read', page: TokenPage },
  { path: 'inspect', title: 'Token inspector', permission: 'qscope:tokens.read', page: Inspector },
  { path: 'devices', title: 'Device approvals', permission: 'qscope:consent', page: DevicePage },
  { path: 'audit', title: 'Audit log', permission: 'qscope:audit.read', page: AuditPage },
  { path: 'keys', title: 'Signing keys', permission: 'qscope:keys.read', page: KeysPage },
]

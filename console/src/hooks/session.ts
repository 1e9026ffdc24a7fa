import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Api } from '../api/api.ts'
import type { Permission } from '../api/permissions.ts'
import type { Session } from '../api/session.ts'
import type { ArrivedCode } from './arrived-code.ts'

/** The secret that a client has just been given. */
export interface NewSecret {
  readonly clientId: string
  readonly value: string
}

export interface SignedIn {
  readonly session: Session
  readonly api: Api
  /** The code of a device in the address that was opened last. */
  readonly arrivedCode: ArrivedCode
  /** Shows a new secret until it is dismissed, even if the session ends before. */
  readonly showSecret: (secret: NewSecret) => void
}

export const SessionContext = createContext<SignedIn | null>(null)

/** The session that the page is part of. */
export function useSession(): SignedIn {
  const signedIn = useContext(SessionContext)
  if (signedIn === null) throw new Error('this page is for those who are signed in')
  return signedIn
}

/** Whether the token permits it, as far as that is known: the server decides. */
export function usePermission(permission: Permission): boolean {
  const { permissions } = useSession().session
  return permissions === null || permissions.has(permission)
}

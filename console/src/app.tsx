import { useMemo, useState } from 'preact/hooks'
import { Api } from './api/api.ts'
import { type Revocation, type Session, signOut } from './api/session.ts'
import type { ArrivedCode } from './arrived-code.ts'
import { SessionContext } from './hooks/session.ts'
import { SignIn } from './pages/sign-in.tsx'
import { Shell } from './shell.tsx'

const ENDED = 'Your session has expired. Sign in again.'
const REJECTED = 'The server no longer accepts your token: the token was revoked, or its client was disabled.'
const SIGNING_OUT = 'You are signed out. The server is being asked to revoke your token.'
const SIGNED_OUT: Readonly<Record<Revocation, string>> = {
  revoked: 'You are signed out, and your token is revoked.',
  'reported as leaked':
    'You are signed out, and your token is revoked. Your session had no qscope:tokens.revoke, so the audit log records the revocation with the reason “leaked”.',
  unanswered:
    'You are signed out here. The server did not confirm the revocation: your token may work until it expires.',
}

interface State {
  readonly session: Session | null
  /** Why the last session ended. */
  readonly notice: string | null
}

/** The console: a sign-in, then the pages, until the session ends. Whatever was shown goes with it. */
export function App({ arrivedCode }: { readonly arrivedCode: ArrivedCode }) {
  const [{ session, notice }, setState] = useState<State>({ session: null, notice: null })
  const signedIn = useMemo(() => {
    if (session === null) return null
    // A late answer to one session says nothing about the next.
    const end = (reason: string) =>
      setState((current) => (current.session === session ? { session: null, notice: reason } : current))
    return { session, end, arrivedCode, api: new Api(session.token, () => end(REJECTED)) }
  }, [session, arrivedCode])
  if (signedIn === null) {
    return <SignIn notice={notice} onSignedIn={(next) => setState({ session: next, notice: null })} />
  }
  const leave = async () => {
    const left: State = { session: null, notice: SIGNING_OUT }
    setState(left)
    const notice = SIGNED_OUT[await signOut(signedIn.session)]
    setState((current) => (current === left ? { session: null, notice } : current))
  }
  return (
    <SessionContext.Provider value={signedIn}>
      <Shell onEnd={() => signedIn.end(ENDED)} onSignOut={() => void leave()} />
    </SessionContext.Provider>
  )
}

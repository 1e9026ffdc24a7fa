import { useCallback, useMemo, useState } from 'preact/hooks'
import { Api } from './api/api.ts'
import { type Session, signOut } from './api/session.ts'
import { SessionContext } from './hooks/session.ts'
import { SignIn } from './pages/sign-in.tsx'
import { Shell } from './shell.tsx'

const ENDED = 'Your session has ended. Sign in again.'
const REJECTED = 'The server counts your token no longer: it was revoked, or its client was disabled.'
const SIGNED_OUT = 'You are signed out, and your token is revoked.'
const NOT_REVOKED = 'You are signed out here. The server did not answer, so your token works until it expires.'

/** The console: a sign-in, then the pages, until the session ends. Whatever was shown goes with it. */
export function App() {
  const [session, setSession] = useState<Session | null>(null)
  const [notice, setNotice] = useState<string | null>(null)
  const end = useCallback((reason: string) => {
    setSession(null)
    setNotice(reason)
  }, [])
  const signedIn = useMemo(
    () => session && { session, api: new Api(session.token, () => end(REJECTED)) },
    [session, end],
  )
  if (signedIn === null) return <SignIn notice={notice} onSignedIn={setSession} />
  const leave = async () => end((await signOut(signedIn.session)) ? SIGNED_OUT : NOT_REVOKED)
  return (
    <SessionContext.Provider value={signedIn}>
      <Shell onEnd={() => end(ENDED)} onSignOut={() => void leave()} />
    </SessionContext.Provider>
  )
}

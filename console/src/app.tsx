import { useMemo, useState } from 'preact/hooks'
import { Api } from './api/api.ts'
import { IDLE_S } from './api/limits.ts'
import { type Revocation, type Session, signOut } from './api/session.ts'
import { NewSecretDialog } from './components/new-secret.tsx'
import type { ArrivedCode } from './hooks/arrived-code.ts'
import { type NewSecret, SessionContext } from './hooks/session.ts'
import { SignIn } from './pages/sign-in.tsx'
import type { SessionEnd } from './session-clock.tsx'
import { Shell } from './shell.tsx'

const ENDED: Readonly<Record<SessionEnd, string>> = {
  expired: 'Your session has expired. Sign in again.',
  idle: `You are signed out because nothing was done for ${IDLE_S / 60} minutes. The server was asked to revoke your token.`,
}
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
  /** The last session that ended other than by a sign-out. */
  readonly ended: Session | null
  /** New secrets that nobody has dismissed yet. The server does not show them again. */
  readonly secrets: readonly NewSecret[]
}

const START: State = Object.freeze({ session: null, notice: null, ended: null, secrets: [] })

/**
 * The console: a sign-in, then the pages, until the session ends. Whatever was shown goes with it, but for new secrets:
 * each stays until somebody dismisses it, and is shown also when its call is answered after the end. A sign-out drops them.
 */
export function App({ arrivedCode }: { readonly arrivedCode: ArrivedCode }) {
  const [{ session, notice, secrets }, setState] = useState<State>(START)
  const started = useMemo(() => {
    if (session === null) return null
    // A late answer to one session says nothing about the next.
    const isThis = (other: Session | null) => other?.attemptKey === session.attemptKey
    const end = (reason: string) =>
      setState((current) =>
        isThis(current.session) ? { ...current, session: null, notice: reason, ended: current.session } : current,
      )
    const showSecret = (secret: NewSecret) =>
      setState((current) =>
        isThis(current.session) || isThis(current.ended)
          ? { ...current, secrets: [...current.secrets, secret] }
          : current,
      )
    const api = new Api(session.token, () => end(REJECTED))
    const renewed = (next: Session) => {
      api.bear(next.token)
      setState((current) => (isThis(current.session) ? { ...current, session: next } : current))
    }
    return { api, end, renewed, showSecret }
  }, [session?.attemptKey])
  const signedIn = started === null || session === null ? null : { session, arrivedCode, ...started }
  const leave = async (left: Session) => {
    const leaving: State = { ...START, notice: SIGNING_OUT }
    setState(leaving)
    const notice = SIGNED_OUT[await signOut(left)]
    setState((current) => (current === leaving ? { ...START, notice } : current))
  }
  const [secret] = secrets
  return (
    <>
      {signedIn === null ? (
        <SignIn
          notice={notice}
          onSignedIn={(next) => setState((current) => ({ ...current, session: next, notice: null }))}
        />
      ) : (
        <SessionContext.Provider value={signedIn}>
          <Shell
            onEnd={(end) => {
              signedIn.end(ENDED[end])
              if (end === 'idle') void signOut(signedIn.session)
            }}
            onRenewed={signedIn.renewed}
            onSignOut={() => void leave(signedIn.session)}
          />
        </SessionContext.Provider>
      )}
      {secret !== undefined && (
        <NewSecretDialog
          key={secret.value}
          secret={secret}
          notice={session === null ? notice : null}
          onClose={() => setState((current) => ({ ...current, secrets: current.secrets.slice(1) }))}
        />
      )}
    </>
  )
}

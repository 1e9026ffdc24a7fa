import { useState } from 'preact/hooks'
import { IDLE_S, LONGEST_S } from '../api/limits.ts'
import { PERMISSIONS, READING } from '../api/permissions.ts'
import { refusalOf } from '../api/refusal.ts'
import { endIfLeft, type Session, signInAsClient, signInWithToken } from '../api/session.ts'
import { Choices, SecretField, TextField } from '../components/field.tsx'
import { Form } from '../components/form.tsx'
import { Heading } from '../components/heading.tsx'
import { RefusalNotice } from '../components/refusal-notice.tsx'
import { useWork } from '../hooks/use-work.ts'
import { wordsOf } from '../text.ts'

interface SignInProps {
  /** Why the last session ended. */
  readonly notice: string | null
  readonly onSignedIn: (session: Session) => void
}

const OPTIONS = PERMISSIONS.map((permission) => [permission, permission.replace('qscope:', '')] as const)

/** Takes a client's credentials for one mint, or a token. Neither is written anywhere. */
export function SignIn({ notice, onSignedIn }: SignInProps) {
  const [withToken, setWithToken] = useState(false)
  return (
    <main class="sign-in">
      <Heading title="Sign in" isLoaded={notice === null}>
        QScope console
      </Heading>
      {notice !== null && (
        <p class="notice" role="status">
          {notice}
        </p>
      )}
      {withToken ? <TokenForm onSignedIn={onSignedIn} /> : <ClientForm onSignedIn={onSignedIn} />}
      <p>
        <button type="button" class="link" onClick={() => setWithToken(!withToken)}>
          {withToken ? 'Sign in with a client instead' : 'Sign in with a token instead'}
        </button>
      </p>
      <p class="quiet">
        The session lasts at most {LONGEST_S / 60} minutes unless you renew it, and ends after {IDLE_S / 60} minutes
        without use. It lives in this tab alone: nothing is stored, and reloading the page ends it.
      </p>
    </main>
  )
}

function ClientForm({ onSignedIn }: Omit<SignInProps, 'notice'>) {
  const { isBusy, refusal, run } = useWork()
  const [clientId, setClientId] = useState('')
  const [secret, setSecret] = useState('')
  const [permissions, setPermissions] = useState<ReadonlySet<string>>(new Set(READING))
  const mint = async (signal: AbortSignal) => {
    try {
      return await endIfLeft(await signInAsClient(clientId, secret, [...permissions]), signal)
    } catch (error) {
      const rejected = new Set(wordsOf(refusalOf(error).metadata['rejected_scopes'] ?? ''))
      if (rejected.size > 0) setPermissions(new Set([...permissions].filter((each) => !rejected.has(each))))
      throw error
    }
  }
  return (
    <Form onSubmit={() => run(mint, onSignedIn)} isBusy={isBusy}>
      <TextField label="Client id" value={clientId} onInput={setClientId} required autocomplete="off" />
      <SecretField
        label="Client secret"
        value={secret}
        onInput={setSecret}
        hint="Sent only to mint the token of the session. The console does not keep it."
      />
      <Choices
        label="Permissions of the session"
        hint="Choose what you need now. Those that only read are preselected."
        chosen={permissions}
        onChange={setPermissions}
        options={OPTIONS}
      />
      <RefusalNotice refusal={refusal} />
      {refusal?.reason === 'OAUTH_INVALID_SCOPE' && (
        <p class="notice">The client is not registered for all of these. Those that it lacks are no longer selected.</p>
      )}
      <button type="submit" class="primary" disabled={permissions.size === 0}>
        {isBusy ? 'Signing in…' : 'Sign in'}
      </button>
    </Form>
  )
}

function TokenForm({ onSignedIn }: Omit<SignInProps, 'notice'>) {
  const { isBusy, refusal, run } = useWork()
  const [token, setToken] = useState('')
  return (
    <Form onSubmit={() => run(() => signInWithToken(token.trim()), onSignedIn)} isBusy={isBusy}>
      <SecretField label="Access token" value={token} onInput={setToken} />
      <RefusalNotice refusal={refusal} />
      <button type="submit" class="primary">
        {isBusy ? 'Signing in…' : 'Sign in'}
      </button>
    </Form>
  )
}

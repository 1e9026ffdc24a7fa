import { useEffect, useRef, useState } from 'preact/hooks'
import { IDLE_S, WARNING_S } from './api/limits.ts'
import { endIfLeft, renew, type Session } from './api/session.ts'
import { Dialog } from './components/dialog.tsx'
import { SecretField } from './components/field.tsx'
import { Form } from './components/form.tsx'
import { RefusalNotice } from './components/refusal-notice.tsx'
import { useSession } from './hooks/session.ts'
import { useWork } from './hooks/use-work.ts'

/** Why a session ends by itself: its token expires, or nobody uses it. */
export type SessionEnd = 'expired' | 'idle'

interface SessionClockProps {
  readonly onEnd: (end: SessionEnd) => void
  readonly onRenewed: (session: Session) => void
}

const ACTIVITIES = ['keydown', 'pointerdown', 'pointermove', 'wheel'] as const

/** Counts down, asks before the session ends, and ends it in time. */
export function SessionClock({ onEnd, onRenewed }: SessionClockProps) {
  const { session } = useSession()
  const { now, activeAt, stay } = useActivity()
  const [dismissed, setDismissed] = useState<Session | null>(null)
  const left = secondsBetween(now, session.endTime.getTime())
  const idleLeft = secondsBetween(now, activeAt + IDLE_S * 1_000)
  const end: SessionEnd = idleLeft < left ? 'idle' : 'expired'
  const isOver = Math.min(left, idleLeft) <= 0
  useEffect(() => {
    if (isOver) onEnd(end)
  }, [isOver, end])
  return (
    <>
      <span class="quiet" role="timer">
        {' '}
        {clockOf(left)} left
      </span>
      {end === 'idle' && idleLeft <= WARNING_S && <IdleDialog left={idleLeft} onStay={stay} />}
      {end === 'expired' && left <= WARNING_S && dismissed !== session && (
        <ExpiryDialog left={left} onRenewed={onRenewed} onClose={() => setDismissed(session)} />
      )}
    </>
  )
}

/** The time, second by second, and when the session was last used. A question whether to stay is answered by `stay` alone. */
function useActivity() {
  const [now, setNow] = useState(Date.now)
  const activeAt = useRef(now)
  useEffect(() => {
    const note = () => {
      const time = Date.now()
      if (time < activeAt.current + (IDLE_S - WARNING_S) * 1_000) activeAt.current = time
    }
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    for (const type of ACTIVITIES) addEventListener(type, note, { capture: true, passive: true })
    return () => {
      clearInterval(timer)
      for (const type of ACTIVITIES) removeEventListener(type, note, { capture: true })
    }
  }, [])
  const stay = () => {
    activeAt.current = Date.now()
    setNow(activeAt.current)
  }
  return { now, activeAt: activeAt.current, stay }
}

function IdleDialog({ left, onStay }: { readonly left: number; readonly onStay: () => void }) {
  return (
    <Dialog title="Are you still there?" onClose={onStay}>
      <p>
        Nothing was done for {(IDLE_S - WARNING_S) / 60} minutes. The session ends in{' '}
        <span role="timer">{clockOf(left)}</span>.
      </p>
      <div class="actions">
        <button type="button" class="primary" onClick={onStay}>
          Stay signed in
        </button>
      </div>
    </Dialog>
  )
}

interface ExpiryDialogProps {
  readonly left: number
  readonly onRenewed: (session: Session) => void
  readonly onClose: () => void
}

/** The console has kept no secret, so it asks for it again. The page behind stays as it is. */
function ExpiryDialog({ left, onRenewed, onClose }: ExpiryDialogProps) {
  const { session } = useSession()
  const [credential, setCredential] = useState('')
  const { isBusy, refusal, run } = useWork()
  const renewed = async (signal: AbortSignal) => await endIfLeft(await renew(session, credential), signal)
  return (
    <Dialog title="Your session is about to end" onClose={onClose}>
      <p>
        Its token expires in <span role="timer">{clockOf(left)}</span>. A new one lets you go on where you are.
      </p>
      <Form onSubmit={() => run(renewed, onRenewed)} isBusy={isBusy}>
        <SecretField
          label={session.withSecret ? `Client secret of ${session.clientId}` : 'Another access token'}
          value={credential}
          onInput={setCredential}
        />
        <RefusalNotice refusal={refusal} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Let it end
          </button>
          <button type="submit" class="primary">
            {isBusy ? 'Signing in…' : 'Stay signed in'}
          </button>
        </div>
      </Form>
    </Dialog>
  )
}

function secondsBetween(from: number, to: number): number {
  return Math.ceil((to - from) / 1_000)
}

function clockOf(seconds: number): string {
  const shown = Math.max(0, seconds)
  return `${Math.floor(shown / 60)}:${String(shown % 60).padStart(2, '0')}`
}

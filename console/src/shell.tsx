import { useEffect, useRef, useState } from 'preact/hooks'
import { Lock } from './components/permitted.tsx'
import { useSession } from './hooks/session.ts'
import { useRoute } from './hooks/use-route.ts'
import { NotFound } from './pages/not-found.tsx'
import { PAGES } from './pages/pages.ts'
import { linkTo } from './route.ts'

/** What is around each page: where one can go, and how long the session lasts. */
export function Shell({ onEnd, onSignOut }: { readonly onEnd: () => void; readonly onSignOut: () => void }) {
  const { session } = useSession()
  const route = useRoute()
  const main = useRef<HTMLElement>(null)
  const current = PAGES.find(({ path, others = [] }) => path === route.page || others.includes(route.page))
  useEffect(() => scrollTo(0, 0), [route.page, route.id])
  const Page = current?.page ?? NotFound
  return (
    <>
      {/* The address names pages of the console, so it cannot name a place on one. */}
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <header>
        <span class="brand">QScope</span>
        <span class="who">
          {session.clientId === '' ? 'a pasted token' : <code>{session.clientId}</code>}
          <SessionClock onEnd={onEnd} />
        </span>
        <button type="button" onClick={onSignOut}>
          Sign out
        </button>
      </header>
      <nav aria-label="Pages">
        <ul>
          {PAGES.map(({ path, title: name, permission }) => (
            <li key={path}>
              <a href={linkTo(path)} aria-current={path === current?.path ? 'page' : undefined}>
                {name}
                <Lock permission={permission} />
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Page key={`${route.page}/${route.id}?${route.parameters}`} route={route} />
      </main>
    </>
  )
}

/** Counts down, and ends the session in time. */
function SessionClock({ onEnd }: { readonly onEnd: () => void }) {
  const { endTime } = useSession().session
  const left = () => Math.max(0, Math.ceil((endTime.getTime() - Date.now()) / 1_000))
  const [seconds, setSeconds] = useState(left)
  useEffect(() => {
    const timer = setInterval(() => setSeconds(left()), 1_000)
    return () => clearInterval(timer)
  }, [endTime])
  useEffect(() => {
    if (seconds === 0) onEnd()
  }, [seconds, onEnd])
  return (
    <span class="quiet" role="timer">
      {' '}
      {Math.floor(seconds / 60)}:{String(seconds % 60).padStart(2, '0')} left
    </span>
  )
}

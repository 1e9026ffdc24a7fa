import { useEffect, useRef } from 'preact/hooks'
import type { Session } from './api/session.ts'
import { Lock } from './components/permitted.tsx'
import { useSession } from './hooks/session.ts'
import { useRoute } from './hooks/use-route.ts'
import { NotFound } from './pages/not-found.tsx'
import { PAGES } from './pages/pages.ts'
import { linkTo } from './route.ts'
import { SessionClock, type SessionEnd } from './session-clock.tsx'

interface ShellProps {
  readonly onEnd: (end: SessionEnd) => void
  readonly onRenewed: (session: Session) => void
  readonly onSignOut: () => void
}

/** What is around each page: where one can go, and how long the session lasts. */
export function Shell({ onEnd, onRenewed, onSignOut }: ShellProps) {
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
          <SessionClock onEnd={onEnd} onRenewed={onRenewed} />
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
        <Page key={route} route={route} />
      </main>
    </>
  )
}

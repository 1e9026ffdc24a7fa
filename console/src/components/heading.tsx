import { useEffect, useRef } from 'preact/hooks'

interface HeadingProps {
  readonly children: string
  /** The title of the document, where the heading alone does not say enough, such as `Client orders`. */
  readonly title?: string
  /** Whether the browser has announced the page itself, because it has just loaded it. */
  readonly isLoaded?: boolean
}

/** The heading of a page. It titles the document, and takes the focus when it appears, so that screen readers announce the page. */
export function Heading({ children, title = children, isLoaded = false }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (!isLoaded) heading.current?.focus({ preventScroll: true })
  }, [])
  useEffect(() => {
    document.title = `${title} – QScope`
  }, [title])
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  )
}

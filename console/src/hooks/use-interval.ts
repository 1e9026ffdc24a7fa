import { useEffect } from 'preact/hooks'

/** Does something again and again while the page is there and is looked at. */
export function useInterval(action: () => unknown, periodMs: number): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') action()
    }, periodMs)
    return () => clearInterval(timer)
  }, [action, periodMs])
}

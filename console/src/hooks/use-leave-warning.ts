import { useEffect } from 'preact/hooks'

/** Has the browser ask before the tab is closed or reloaded, while something would be lost with it. */
export function useLeaveWarning(isAtStake: boolean): void {
  useEffect(() => {
    if (!isAtStake) return
    const onLeave = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', onLeave)
    return () => removeEventListener('beforeunload', onLeave)
  }, [isAtStake])
}

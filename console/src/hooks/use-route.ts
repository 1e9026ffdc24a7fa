import { useLayoutEffect, useState } from 'preact/hooks'
import { type Route, routeOf } from '../route.ts'

/** Where the console is now: another object for each address that is opened. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash))
  // Not after the next frame, as by useEffect: an address that is opened before that would be missed.
  useLayoutEffect(() => {
    const onChange = () => setRoute(routeOf(location.hash))
    addEventListener('hashchange', onChange)
    return () => removeEventListener('hashchange', onChange)
  }, [])
  return route
}

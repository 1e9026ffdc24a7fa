import { useEffect, useState } from 'preact/hooks'

/** The value once it has stayed the same for so long, so that not each key that is pressed asks the server. */
export function useDebounced<T>(value: T, delayMs = 250): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs)
    return () => clearTimeout(timer)
  }, [value, delayMs])
  return settled
}

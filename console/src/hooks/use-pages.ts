import { type Inputs, useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextPageToken: string
}

/** The most that a list holds: as much as anybody scrolls, and far below what a browser has pixels for. */
const MOST_ITEMS = 100_000

export interface Pages<T> {
  readonly items: readonly T[]
  readonly hasMore: boolean
  /** Whether no more is read although there is more. */
  readonly isFull: boolean
  readonly isLoading: boolean
  readonly refusal: Refusal | null
  readonly loadMore: () => void
  readonly reload: () => void
}

interface Loaded<T> {
  readonly items: readonly T[]
  /** `null`: there is no further page. */
  readonly next: string | null
  readonly isLoading: boolean
  readonly refusal: Refusal | null
}

const NOTHING = Object.freeze({ items: [], next: '', isLoading: true, refusal: null })

/**
 * A list that is read page by page, as far as somebody looks. It begins anew when what it depends on changes; what was
 * read stays while the same list is reloaded.
 */
export function usePages<T>(
  ask: (pageToken: string, signal: AbortSignal) => Promise<Page<T>>,
  inputs: Inputs,
): Pages<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>(NOTHING)
  const [times, setTimes] = useState(0)
  const gone = useRef(new AbortController())

  const load = useCallback(
    (pageToken: string, { signal }: AbortController) => {
      setLoaded((before) => ({ ...before, isLoading: true, refusal: null }))
      ask(pageToken, signal).then(
        ({ items, nextPageToken }) => {
          if (signal.aborted) return
          const next = nextPageToken === '' ? null : nextPageToken
          setLoaded((before) => ({
            items: pageToken === '' ? items : [...before.items, ...items],
            next,
            isLoading: false,
            refusal: null,
          }))
        },
        (error: unknown) => {
          if (!signal.aborted) setLoaded((before) => ({ ...before, isLoading: false, refusal: refusalOf(error) }))
        },
      )
    },
    [...inputs, times],
  )
  useEffect(() => setLoaded(NOTHING), inputs)
  useEffect(() => {
    const current = new AbortController()
    gone.current = current
    load('', current)
    return () => current.abort()
  }, [load])

  const { items, next, isLoading, refusal } = loaded
  const isFull = next !== null && items.length >= MOST_ITEMS
  const loadMore = useCallback(() => {
    if (next !== null && !isFull && !isLoading && refusal === null) load(next, gone.current)
  }, [load, next, isFull, isLoading, refusal])
  const reload = useCallback(() => setTimes((before) => before + 1), [])
  return { items, hasMore: next !== null, isFull, isLoading, refusal, loadMore, reload }
}

import type { Refusal } from '../api/refusal.ts'
import { usePermission, useSession } from './session.ts'
import { useQuery } from './use-query.ts'

/** The most that one page of a list holds. */
const COUNTED = 1_000

/** Whose tokens and grants are counted: a client's or a user's. */
export type Holder = { readonly clientId: string } | { readonly userId: string }

interface ActiveCounts {
  /** In words; `null`: not known, or the token does not permit to know. */
  readonly counts: { readonly tokens: string; readonly grants: string } | null
  readonly refusal: Refusal | null
}

/** How many a holder has that would be accepted now. */
export function useActiveCounts(holder: Holder): ActiveCounts {
  const { api } = useSession()
  const maySee = usePermission('qscope:tokens.read')
  const { value, refusal } = useQuery(
    async (signal) => {
      if (!maySee) return null
      const filter = { ...holder, activeOnly: true, pageSize: COUNTED }
      const [tokens, grants] = await Promise.all([
        api.tokens.listTokens(filter, { signal }),
        api.tokens.listGrants(filter, { signal }),
      ])
      return {
        tokens: counted(tokens.tokens.length, tokens.nextPageToken, 'token'),
        grants: counted(grants.grants.length, grants.nextPageToken, 'grant'),
      }
    },
    [api, maySee, ...Object.values(holder)],
  )
  return { counts: value, refusal }
}

function counted(count: number, nextPageToken: string, noun: string): string {
  if (nextPageToken !== '') return `${count} or more ${noun}s`
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

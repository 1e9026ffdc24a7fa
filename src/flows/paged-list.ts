import { openPageToken, sealPageToken } from '../crypto/page-token.ts'
import { invalidRequest, success } from '../results.ts'
import type { PageRequest } from '../stores/contract/context.ts'
import { condition, given } from './condition.ts'
import type { FlowContext } from './context.ts'
import { type QueryFlow, query } from './flow.ts'

const DEFAULT_PAGE_SIZE = 50

/** A request for one page of a list. The page token is bound to the filter. */
export interface ListRequest<Filter extends object> {
  readonly filter: Filter
  /** 0: the default, 50. */
  readonly pageSize: number
  /** Empty: the first page. */
  readonly pageToken: string
}

/** One page, and the token of the next. The token is empty on the last page. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextPageToken: string
}

type PageFacts = { readonly page: PageRequest<string> }

/** Defines a query for one page of a list. Lists differ in their reads and in the key by which they continue. */
export function pagedList<Filter extends object, Item>(definition: {
  readonly name: string
  /** The name that page tokens are bound to, beside the filter. */
  readonly list: string
  readonly read: (ctx: FlowContext, filter: Filter, page: PageRequest<string>) => Promise<readonly Item[]>
  readonly keyOf: (item: Item) => string
  /** Removes items from a page after it was read, so the page may be shorter. */
  readonly keep?: (item: Item, filter: Filter) => boolean
}): QueryFlow<ListRequest<Filter>, ListRequest<Filter> & PageFacts, Page<Item>> {
  const { name, list, read, keyOf, keep } = definition
  return query({
    name,
    preconditions: given<ListRequest<Filter>>().and(pageTokenIsOfThisList(list)),
    answer: async (ctx, { filter, page }) => {
      // Reads one more than the page holds, to know whether another page follows.
      const found = await read(ctx, filter, { ...page, limit: page.limit + 1 })
      const items = found.slice(0, page.limit)
      const last = items.at(-1)
      const more = found.length > page.limit && last !== undefined
      return {
        items: keep === undefined ? items : items.filter((item) => keep(item, filter)),
        nextPageToken: more ? sealPageToken(ctx.services.keyring, list, filter, keyOf(last)) : '',
      }
    },
  })
}

/** AIP-158: the page token was issued by this list for this filter. */
function pageTokenIsOfThisList(list: string) {
  return condition<ListRequest<object>, PageFacts>('pageTokenIsOfThisList', (ctx, { filter, pageSize, pageToken }) => {
    const limit = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize
    if (pageToken === '') return success({ page: { after: null, limit } })
    const after = openPageToken(ctx.services.keyring, list, filter, pageToken)
    if (after !== null) return success({ page: { after, limit } })
    return invalidRequest('page_token', 'must be the next_page_token of the previous page, with the same filter')
  })
}

import { openPageToken, sealPageToken } from '../crypto/page-token.ts'
import { invalidRequest, success } from '../results.ts'
import type { PageRequest } from '../stores/contract/context.ts'
import { condition, given } from './condition.ts'
import type { FlowContext } from './context.ts'
import { type QueryFlow, query } from './flow.ts'

const DEFAULT_PAGE_SIZE = 50

/** A request for one page of a list; the filter is what the page token is bound to. */
export interface ListRequest<Filter extends object> {
  readonly filter: Filter
  /** 0: the default, 50. */
  readonly pageSize: number
  /** Empty: the first page. */
  readonly pageToken: string
}

/** One page, and the token of the next; empty on the last. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextPageToken: string
}

type PageFacts = { readonly page: PageRequest<string> }

/** A query for one page of a list: the lists differ in what they read and by which key they go on. */
export function pagedList<Filter extends object, Item>(definition: {
  readonly name: string
  /** What page tokens are bound to, beside the filter. */
  readonly list: string
  readonly read: (ctx: FlowContext, filter: Filter, page: PageRequest<string>) => Promise<readonly Item[]>
  readonly keyOf: (item: Item) => string
  /** Leaves items out of a page after it was cut, so that it may come out shorter. */
  readonly keep?: (item: Item, filter: Filter) => boolean
}): QueryFlow<ListRequest<Filter>, ListRequest<Filter> & PageFacts, Page<Item>> {
  const { name, list, read, keyOf, keep } = definition
  return query({
    name,
    preconditions: given<ListRequest<Filter>>().and(pageTokenIsOfThisList(list)),
    answer: async (ctx, { filter, page }) => {
      // One more than the page holds tells whether another page follows.
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

/** AIP-158: the page token is one that this list gave out for this filter. */
function pageTokenIsOfThisList(list: string) {
  return condition<ListRequest<object>, PageFacts>('pageTokenIsOfThisList', (ctx, { filter, pageSize, pageToken }) => {
    const limit = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize
    if (pageToken === '') return success({ page: { after: null, limit } })
    const after = openPageToken(ctx.services.keyring, list, filter, pageToken)
    if (after !== null) return success({ page: { after, limit } })
    return invalidRequest('page_token', 'must be the next_page_token of the previous page, with the same filter')
  })
}

import { openPageToken, sealPageToken } from '../../crypto/page-token.ts'
import { invalidRequest, success } from '../../results.ts'
import type { PageRequest } from '../../stores/contract/context.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

const DEFAULT_PAGE_SIZE = 50

/** A wish for one page of a list; the filter is what the page token is bound to. */
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

/** AIP-158: the page token is one that this list gave out for this filter. */
export function pageTokenIsOfThisList(list: string) {
  return condition<ListRequest<object>, PageFacts>('pageTokenIsOfThisList', (ctx, { filter, pageSize, pageToken }) => {
    const limit = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize
    if (pageToken === '') return success({ page: { after: null, limit } })
    const after = openPageToken(ctx.services.keyring, list, filter, pageToken)
    if (after !== null) return success({ page: { after, limit } })
    const description = 'must be the next_page_token of the page before, with the same filter'
    return invalidRequest('page_token', description)
  })
}

/** Reads one item more than the page holds, to know whether another page follows. */
export function oneMore(page: PageRequest<string>): PageRequest<string> {
  return { ...page, limit: page.limit + 1 }
}

/** Cuts what `oneMore` read to the page, and makes the next page's token of its last item's key. */
export function cutPage<Item>(
  ctx: FlowContext,
  list: string,
  { filter, page }: { readonly filter: object } & PageFacts,
  read: readonly Item[],
  keyOf: (item: Item) => string,
): Page<Item> {
  const items = read.slice(0, page.limit)
  const last = items.at(-1)
  const more = read.length > page.limit && last !== undefined
  return { items, nextPageToken: more ? sealPageToken(ctx.services.keyring, list, filter, keyOf(last)) : '' }
}

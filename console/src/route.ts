/** Where the console is: the part of the address behind `#`, which is never sent to a server. */
export interface Route {
  /** `clients`, of `#/clients/orders?…`; empty at the start. */
  readonly page: string
  /** `orders`; empty where there is none. */
  readonly id: string
  readonly parameters: URLSearchParams
}

/** Reads what stands behind `#`. */
export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [page = '', id = ''] = path.split('/', 2)
  return { page, id: decoded(id), parameters: new URLSearchParams(query) }
}

/** The address of a page, for a link. */
export function linkTo(page: string, id?: string, parameters: Readonly<Record<string, string>> = {}): string {
  const path = id === undefined ? `#/${page}` : `#/${page}/${encodeURIComponent(id)}`
  const query = new URLSearchParams(parameters).toString()
  return query === '' ? path : `${path}?${query}`
}

/** What somebody typed into the address may be no encoding. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

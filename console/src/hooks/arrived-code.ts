import { linkTo, routeOf } from '../route.ts'

const USER_CODE = 'user_code'

/**
 * The user code of a device in the address that was opened last (RFC 8628 §3.3.1). It is held in the tab's memory
 * through the sign-in, and is given to one page, once.
 */
export class ArrivedCode {
  #userCode = ''

  /** Takes the code, if there is one, out of the address and the history, from the query or from behind `#`. */
  arrive({ search, hash, pathname }: Location, history: History): void {
    const { page, parameters } = routeOf(hash)
    const inQuery = new URLSearchParams(search).get(USER_CODE)
    const userCode = inQuery ?? (page === 'devices' ? parameters.get(USER_CODE) : null)
    if (userCode === null) return
    this.#userCode = userCode
    history.replaceState(null, '', `${pathname}${linkTo('devices')}`)
  }

  /** The code; empty: there was none, or it is taken. */
  take(): string {
    const userCode = this.#userCode
    this.#userCode = ''
    return userCode
  }
}

/** Whether the server accepts calls, and how many are running. Health checks, the pipeline and the servers read it. */
export class ServingState {
  readonly #listeners = new Set<() => void>()
  /** The store's readiness is not known at the start. */
  #serving = false
  #draining = false
  #running = 0
  #idleWaiters: (() => void)[] = []

  get serving(): boolean {
    return this.#serving
  }

  /** Set permanently by `drain`: new calls are refused, running ones finish. */
  get draining(): boolean {
    return this.#draining
  }

  /** Set by readiness checks. Has no effect while draining. */
  setServing(serving: boolean): void {
    if (this.#draining || this.#serving === serving) return
    this.#serving = serving
    this.#notify()
  }

  drain(): void {
    if (this.#draining) return
    this.#serving = false
    this.#draining = true
    this.#notify()
  }

  /** Calls `listener` after every change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Counts a running call, until `leave`. */
  enter(): void {
    this.#running += 1
  }

  /** Ends a running call. Must be called once for each `enter`. */
  leave(): void {
    this.#running -= 1
    if (this.#running > 0 || this.#idleWaiters.length === 0) return
    for (const resolve of this.#idleWaiters) resolve()
    this.#idleWaiters = []
  }

  /** Resolves when no call is running. */
  idle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

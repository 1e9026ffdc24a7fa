/** Whether the server takes calls, and how many run: read by health, pipeline and server alike. */
export interface ServingState {
  readonly serving: boolean
  /** Set for good by `drain`: new calls are refused, running ones finish. */
  readonly draining: boolean
  /** Told by readiness checks; without effect while draining. */
  setServing(serving: boolean): void
  drain(): void
  /** Calls back after every change, until the returned function is called. */
  onChange(listener: () => void): () => void
  /** Counts a running call; the returned function ends it, once. */
  enter(): () => void
  /** Resolves when no call runs. */
  idle(): Promise<void>
}

/** Starts as not serving: the store is not known to be ready. */
export function createServingState(): ServingState {
  const listeners = new Set<() => void>()
  let serving = false
  let draining = false
  let running = 0
  let idleWaiters: (() => void)[] = []

  function announce(): void {
    for (const listener of [...listeners]) listener()
  }

  return {
    get serving() {
      return serving
    },
    get draining() {
      return draining
    },
    setServing: (next) => {
      if (draining || serving === next) return
      serving = next
      announce()
    },
    drain: () => {
      if (draining) return
      serving = false
      draining = true
      announce()
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    enter: () => {
      running += 1
      let entered = true
      return () => {
        if (!entered) return
        entered = false
        running -= 1
        if (running > 0) return
        for (const resolve of idleWaiters) resolve()
        idleWaiters = []
      }
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve))),
  }
}

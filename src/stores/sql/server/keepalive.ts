/** A connection that is silent for so long is asked by the system whether its other side is still there. */
export const KEEPALIVE_AFTER_MS = 10_000

/** Features that follow unfinished drafts. Each is off unless the configuration names it, and may change in any version. */
export const EXPERIMENTS = Object.freeze(['transaction-tokens'] as const)
export type Experiment = (typeof EXPERIMENTS)[number]

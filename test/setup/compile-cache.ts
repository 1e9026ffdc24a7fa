import { join } from 'node:path'

/**
 * Where Node keeps what it has compiled: half of what a process of the command
 * line takes to start is compiling the same modules again.
 */
export const COMPILE_CACHE = Object.freeze({
  NODE_COMPILE_CACHE: join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'qscope-tests'),
})

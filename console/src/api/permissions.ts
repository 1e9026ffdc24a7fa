import { PERMISSIONS, type Permission } from '../../../src/domain/scopes.ts'

export { PERMISSIONS, type Permission }

/** Those that change nothing. */
export const READING: readonly Permission[] = PERMISSIONS.filter((permission) => permission.endsWith('.read'))

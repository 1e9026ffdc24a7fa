import { installed } from './installed.ts'
import { missing } from './requirement.ts'

/** Whether jq is installed, which the commands of some pages use. */
export const hasJq = installed('jq') !== null
if (!hasJq) missing('jq', 'README, quick start, cookbook and verification from memory as typed', 'jq is not installed')

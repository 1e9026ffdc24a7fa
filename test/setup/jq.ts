import { installed } from './installed.ts'
import { missing } from './requirement.ts'

/** Whether the pages whose commands take values out of answers with jq can be run. */
export const hasJq = installed('jq') !== null
if (!hasJq) missing('jq', 'README, quick start and verification from memory as typed', 'jq is not installed')

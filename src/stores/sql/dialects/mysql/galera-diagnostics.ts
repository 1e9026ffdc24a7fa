import type { Diagnostic } from '../../../contract/backend.ts'
import { type DiagnosticRow, diagnostic } from '../../diagnostics.ts'

/** With two nodes, losing one leaves no majority. */
const FEWEST_NODES = 3
/** The bit that makes reads wait for what other nodes committed. */
const WAIT_FOR_READS = 1

/** None where the server is no node of a cluster. */
export function galeraDiagnostics(variables: DiagnosticRow, status: DiagnosticRow): readonly Diagnostic[] {
  if (variables.get('wsrep_on') !== 'ON') return []
  const size = Number(status.get('wsrep_cluster_size'))
  const part = status.get('wsrep_cluster_status') ?? 'unknown'
  const state = status.get('wsrep_local_state_comment') ?? 'unknown'
  const wait = Number(variables.get('wsrep_sync_wait'))
  return [
    diagnostic(
      'wsrep_cluster_size',
      String(size),
      size < FEWEST_NODES ? 'the cluster stops if one more node is lost: run three or more' : null,
    ),
    diagnostic(
      'wsrep_cluster_status',
      part,
      part === 'Primary' ? null : 'this node is cut off from the majority, and refuses work',
    ),
    diagnostic(
      'wsrep_local_state_comment',
      state,
      state === 'Synced' ? null : 'this node does not take part fully: wait, or name another host first',
    ),
    diagnostic(
      'wsrep_sync_wait',
      String(wait),
      (wait & WAIT_FOR_READS) === WAIT_FOR_READS ? null : 'reads may miss what another node has committed: set it to 1',
    ),
  ]
}

import { useState } from 'preact/hooks'
import type { GrantMetadata } from '../../../../src/gen/qscope/v1/token_pb.ts'
import { Dialog } from '../../components/dialog.tsx'
import { Facts, Time, Values } from '../../components/facts.tsx'
import { PermittedButton } from '../../components/permitted.tsx'
import { type Column, VirtualTable } from '../../components/virtual-table.tsx'
import { useSession } from '../../hooks/session.ts'
import { usePages } from '../../hooks/use-pages.ts'
import type { Target } from './revoke-tokens.tsx'
import { holderOf, State, type TokenFilter } from './token-list.tsx'

const PAGE_SIZE = 200

interface GrantListProps {
  readonly filter: TokenFilter
  readonly onRevoke: (target: Target) => void
}

/** What users have consented to, the newest first. */
export function GrantList({ filter, onRevoke }: GrantListProps) {
  const { api } = useSession()
  const [open, setOpen] = useState<GrantMetadata | null>(null)
  const { clientId, userId, activeOnly, times } = filter
  const pages = usePages(
    async (pageToken, signal) => {
      const request = { ...holderOf(filter), activeOnly, pageSize: PAGE_SIZE, pageToken }
      const { grants, nextPageToken } = await api.tokens.listGrants(request, { signal })
      return { items: grants, nextPageToken }
    },
    [api, clientId, userId, activeOnly, times],
  )
  const columns: readonly Column<GrantMetadata>[] = [
    {
      title: 'Grant',
      grow: 3,
      cell: (grant) => (
        <button type="button" class="link" onClick={() => setOpen(grant)}>
          <code>{grant.grantId}</code>
        </button>
      ),
    },
    { title: 'Client', grow: 1.2, optional: true, cell: (grant) => <code>{grant.clientId}</code> },
    { title: 'User', grow: 3, optional: true, cell: (grant) => <code>{grant.userId}</code> },
    { title: 'Expires', grow: 1.6, optional: true, cell: ({ expireTime }) => <Time of={expireTime} /> },
    { title: 'State', grow: 0.9, cell: (grant) => <State of={grant} /> },
  ]
  return (
    <>
      <VirtualTable
        label="Grants"
        columns={columns}
        pages={pages}
        keyOf={({ grantId }) => grantId}
        empty="No grant matches."
      />
      {open !== null && (
        <GrantDialog
          grant={open}
          onClose={() => setOpen(null)}
          onRevoke={() => {
            setOpen(null)
            onRevoke({ kind: 'grant', id: open.grantId })
          }}
        />
      )}
    </>
  )
}

interface GrantDialogProps {
  readonly grant: GrantMetadata
  readonly onClose: () => void
  readonly onRevoke: () => void
}

function GrantDialog({ grant, onClose, onRevoke }: GrantDialogProps) {
  return (
    <Dialog title="Grant" onClose={onClose}>
      <Facts
        of={[
          ['State', <State of={grant} />],
          ['Grant', <code>{grant.grantId}</code>],
          ['Client', <code>{grant.clientId}</code>],
          ['User', <code>{grant.userId}</code>],
          ['Scopes', <Values of={grant.scopes} />],
          ['Audiences', <Values of={grant.audiences} none="any" />],
          ['Consented', <Time of={grant.createTime} />],
          ['Ends', <Time of={grant.expireTime} />],
          ['Revoked', <Time of={grant.revokeTime} none="no" />],
        ]}
      />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
        {grant.active && (
          <PermittedButton permission="qscope:tokens.revoke" danger onClick={onRevoke}>
            Revoke
          </PermittedButton>
        )}
      </div>
    </Dialog>
  )
}

import { useState } from 'preact/hooks'
import { type TokenMetadata, TokenUse } from '../../../../src/gen/qscope/v1/token_pb.ts'
import { Dialog } from '../../components/dialog.tsx'
import { Badge, Facts, Time, type Tone, Values } from '../../components/facts.tsx'
import { PermittedButton } from '../../components/permitted.tsx'
import { type Column, VirtualTable } from '../../components/virtual-table.tsx'
import { useSession } from '../../hooks/session.ts'
import { usePages } from '../../hooks/use-pages.ts'
import type { Target } from './revoke-tokens.tsx'

const PAGE_SIZE = 200

export interface TokenFilter {
  /** Empty: of every client. */
  readonly clientId: string
  /** Empty: of every user, and of none. */
  readonly userId: string
  readonly activeOnly: boolean
  /** Another number reads the list anew. */
  readonly times: number
}

interface ListProps {
  readonly filter: TokenFilter
  readonly onRevoke: (target: Target) => void
}

const USES: Readonly<Record<TokenUse, string>> = {
  [TokenUse.UNSPECIFIED]: 'not set',
  [TokenUse.ACCESS]: 'access',
  [TokenUse.REFRESH]: 'refresh',
}

/** The tokens of a client or user, the newest first. */
export function TokenList({ filter, onRevoke }: ListProps) {
  const { api } = useSession()
  const [open, setOpen] = useState<TokenMetadata | null>(null)
  const { clientId, userId, activeOnly, times } = filter
  const pages = usePages(
    async (pageToken, signal) => {
      const request = { ...holderOf(filter), activeOnly, pageSize: PAGE_SIZE, pageToken }
      const { tokens, nextPageToken } = await api.tokens.listTokens(request, { signal })
      return { items: tokens, nextPageToken }
    },
    [api, clientId, userId, activeOnly, times],
  )
  const columns: readonly Column<TokenMetadata>[] = [
    {
      title: 'Token',
      grow: 3,
      cell: (token) => (
        <button type="button" class="link" onClick={() => setOpen(token)}>
          <code>{token.tokenId}</code>
        </button>
      ),
    },
    { title: 'Use', grow: 1.2, cell: ({ tokenUse }) => USES[tokenUse] },
    { title: 'Client', grow: 1.2, optional: true, cell: (token) => <code>{token.clientId}</code> },
    { title: 'User', grow: 3, optional: true, cell: (token) => <code>{token.userId ?? '–'}</code> },
    { title: 'Expires', grow: 1.6, optional: true, cell: ({ expireTime }) => <Time of={expireTime} /> },
    { title: 'State', grow: 1.2, cell: (token) => <State of={token} /> },
  ]
  return (
    <>
      <VirtualTable
        label="Tokens"
        columns={columns}
        pages={pages}
        keyOf={({ tokenId }) => tokenId}
        empty="No token matches."
      />
      {open !== null && (
        <TokenDialog
          token={open}
          onClose={() => setOpen(null)}
          onRevoke={(target) => {
            setOpen(null)
            onRevoke(target)
          }}
        />
      )}
    </>
  )
}

/** Which holder a request names. */
export function holderOf({ clientId, userId }: TokenFilter): { clientId?: string; userId?: string } {
  return { ...(clientId !== '' && { clientId }), ...(userId !== '' && { userId }) }
}

interface Ending {
  readonly active: boolean
  readonly revokeTime?: TokenMetadata['revokeTime']
}

export function State({ of: { active, revokeTime } }: { readonly of: Ending }) {
  const [tone, word]: readonly [Tone, string] = active
    ? ['good', 'active']
    : revokeTime === undefined
      ? ['plain', 'inactive']
      : ['bad', 'revoked']
  return <Badge tone={tone}>{word}</Badge>
}

interface TokenDialogProps {
  readonly token: TokenMetadata
  readonly onClose: () => void
  readonly onRevoke: (target: Target) => void
}

function TokenDialog({ token, onClose, onRevoke }: TokenDialogProps) {
  const { tokenId, tokenUse, clientId, userId, grantId, scopes, audiences, issueTime, expireTime, revokeTime } = token
  const isRefresh = tokenUse === TokenUse.REFRESH
  return (
    <Dialog title={`${isRefresh ? 'Refresh' : 'Access'} token`} onClose={onClose}>
      <Facts
        of={[
          ['State', <State of={token} />],
          ['Token', <code>{tokenId}</code>],
          ['Client', <code>{clientId}</code>],
          ['User', <code>{userId ?? 'none'}</code>],
          ['Grant', <code>{grantId ?? 'none'}</code>],
          ['Scopes', <Values of={scopes} />],
          ['Audiences', <Values of={audiences} none="any" />],
          ['Issued', <Time of={issueTime} />],
          ['Expires', <Time of={expireTime} />],
          ['Revoked', <Time of={revokeTime} none="no" />],
        ]}
      />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
        {token.active && (
          <PermittedButton
            permission="qscope:tokens.revoke"
            danger
            onClick={() => onRevoke({ kind: 'token', id: tokenId, isRefresh })}
          >
            Revoke
          </PermittedButton>
        )}
      </div>
    </Dialog>
  )
}

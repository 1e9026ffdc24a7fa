import type { TrustedIssuer } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import { Badge, Time } from '../../components/facts.tsx'
import { Lock } from '../../components/permitted.tsx'
import { type Column, VirtualTable } from '../../components/virtual-table.tsx'
import { useSession } from '../../hooks/session.ts'
import { usePages } from '../../hooks/use-pages.ts'
import { linkTo } from '../../route.ts'
import { ISSUER_KINDS } from './labels.ts'

const PAGE_SIZE = 200

const COLUMNS: readonly Column<TrustedIssuer>[] = [
  {
    title: 'Issuer',
    grow: 3,
    cell: ({ issuer }) => (
      <a href={linkTo('issuers', issuer)}>
        <code>{issuer}</code>
      </a>
    ),
  },
  { title: 'Name', grow: 2, optional: true, cell: ({ displayName }) => displayName },
  { title: 'Kind', grow: 1.4, optional: true, cell: ({ kind }) => ISSUER_KINDS[kind] },
  { title: 'Kept in', grow: 1.4, cell: ({ readOnly }) => <KeptIn readOnly={readOnly} /> },
  { title: 'Changed', grow: 1.8, optional: true, cell: ({ updateTime }) => <Time of={updateTime} /> },
]

/** Where the issuer stands: what is in the server’s file can only be read here. */
export function KeptIn({ readOnly }: { readonly readOnly: boolean }) {
  return <Badge tone="plain">{readOnly ? 'file' : 'database'}</Badge>
}

export function IssuerList() {
  const { trust } = useSession().api
  const pages = usePages(
    async (pageToken, signal) => {
      const answer = await trust.listTrustedIssuers({ pageSize: PAGE_SIZE, pageToken }, { signal })
      return { items: answer.trustedIssuers, nextPageToken: answer.nextPageToken }
    },
    [trust],
  )
  return (
    <>
      <div class="actions">
        <a class="button" href={linkTo('create-issuer')}>
          Create a trusted issuer
          <Lock permission="qscope:trust.write" />
        </a>
        <a class="button" href={linkTo('test-assertion')}>
          Test an assertion
        </a>
      </div>
      <VirtualTable
        label="Trusted issuers"
        columns={COLUMNS}
        pages={pages}
        keyOf={({ issuer }) => issuer}
        empty="No issuer is trusted."
      />
    </>
  )
}

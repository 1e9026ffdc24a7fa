import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { AssertionRule, TrustedIssuer } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import { secondsOf } from '../../components/duration.ts'
import { Facts, Moment, Values } from '../../components/facts.tsx'
import { PermittedButton } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useQuery } from '../../hooks/use-query.ts'
import { linkTo } from '../../route.ts'
import { DeleteIssuer } from './delete-issuer.tsx'
import { EditIssuer } from './edit-issuer.tsx'
import { KeptIn } from './issuer-list.tsx'
import { ISSUER_KINDS, KEY_SOURCES, REUSE } from './labels.ts'

interface IssuerDetailProps {
  readonly issuer: string
  /** Whether the form is shown that changes the issuer. */
  readonly isEditing: boolean
  readonly onEdit: (isEditing: boolean) => void
}

export function IssuerDetail({ issuer, isEditing, onEdit }: IssuerDetailProps) {
  const { trust } = useSession().api
  const [isDeleting, setDeleting] = useState(false)
  const { value, refusal, reload } = useQuery(
    (signal) => trust.getTrustedIssuer({ issuer }, { signal }),
    [trust, issuer],
  )
  const read = value?.trustedIssuer
  const done = () => {
    setDeleting(false)
    onEdit(false)
    reload()
  }
  if (read === undefined) {
    return refusal === null ? <p role="status">Loading…</p> : <RefusalNotice refusal={refusal} retry={reload} />
  }
  if (isEditing) return <EditIssuer issuer={read} onDone={done} onCancel={() => onEdit(false)} />
  return (
    <>
      <RefusalNotice refusal={refusal} retry={reload} />
      <IssuerFacts issuer={read} />
      {read.readOnly && (
        <p class="notice">
          This issuer stands in the server’s file, <code>QSCOPE_TRUSTED_ISSUERS_FILE</code>. It is changed there.
        </p>
      )}
      <div class="actions">
        {!read.readOnly && (
          <>
            <PermittedButton permission="qscope:trust.write" onClick={() => onEdit(true)}>
              Change
            </PermittedButton>
            <PermittedButton permission="qscope:trust.write" danger onClick={() => setDeleting(true)}>
              Delete
            </PermittedButton>
          </>
        )}
        <a class="button" href={linkTo('test-assertion')}>
          Test an assertion
        </a>
        <a class="button" href={linkTo('issuers')}>
          All trusted issuers
        </a>
      </div>
      <Rules rules={read.rules} />
      {isDeleting && <DeleteIssuer of={read} onClose={done} />}
    </>
  )
}

function IssuerFacts({ issuer }: { readonly issuer: TrustedIssuer }) {
  return (
    <Facts
      of={[
        ['Kept in', <KeptIn readOnly={issuer.readOnly} />],
        ['Name', issuer.displayName],
        ['Kind', ISSUER_KINDS[issuer.kind]],
        ['Keys', <Keys of={issuer} />],
        ['CA certificates', issuer.caCertificates === '' ? 'those of the server’s machine' : 'its own'],
        ['Audience of grants', issuer.audience === '' ? 'this server’s issuer' : <code>{issuer.audience}</code>],
        ['A grant is accepted', REUSE[issuer.singleUse ? 'true' : 'false']],
        ['Longest lifetime', `${secondsOf(issuer.maxLifetime)} s`],
        ['Managed by', issuer.owner === '' ? 'no configuration' : <code>{issuer.owner}</code>],
        ...(issuer.readOnly
          ? []
          : ([
              ['Created', <Moment time={issuer.createTime} by={issuer.createdBy} />],
              ['Changed', <Moment time={issuer.updateTime} by={issuer.updatedBy} />],
            ] as const)),
      ]}
    />
  )
}

function Keys({ of: { keys } }: { readonly of: TrustedIssuer }): ComponentChildren {
  switch (keys.case) {
    case 'jwksUri':
      return <code>{keys.value}</code>
    case 'jwks':
    case 'discovery':
      return KEY_SOURCES[keys.case]
    case undefined:
      return 'in the server’s file'
    default:
      return keys satisfies never
  }
}

function Rules({ rules }: { readonly rules: readonly AssertionRule[] }) {
  return (
    <section aria-labelledby="rules">
      <h2 id="rules">Rules</h2>
      {rules.length === 0 && (
        <p class="quiet">None: this issuer only authenticates clients, by their federated identities.</p>
      )}
      <ol class="cards wide">
        {rules.map((rule, at) => (
          <li class="card" key={at}>
            <Facts
              of={[
                [
                  'For the client',
                  <a href={linkTo('clients', rule.clientId)}>
                    <code>{rule.clientId}</code>
                  </a>,
                ],
                ['Claims that must hold', <Texts of={rule.claims} />],
                ['Condition', rule.condition === '' ? 'none' : <code>{rule.condition}</code>],
                ['Scopes', <Values of={rule.scopes} />],
                [
                  'Expression that chooses scopes',
                  rule.scopesExpression === '' ? 'none: all of them' : <code>{rule.scopesExpression}</code>,
                ],
                ['Claims of the token', <Texts of={rule.tokenClaims} />],
              ]}
            />
          </li>
        ))}
      </ol>
    </section>
  )
}

function Texts({ of }: { readonly of: Readonly<Record<string, string>> }) {
  return <Values of={Object.entries(of).map(([name, text]) => `${name}: ${text}`)} />
}

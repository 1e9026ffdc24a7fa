import { useState } from 'preact/hooks'
import { type SigningKey, SigningKeyState } from '../../../../src/gen/qscope/v1/key_service_pb.ts'
import { Heading } from '../../components/heading.tsx'
import { Permitted, PermittedButton } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { usePages } from '../../hooks/use-pages.ts'
import { ChangeKey, type KeyAction } from './change-key.tsx'
import { KeyCard } from './key-card.tsx'
import { lifeOf, spanOf } from './life.ts'

const PAGE_SIZE = 100

export function KeysPage() {
  return (
    <>
      <Heading>Signing keys</Heading>
      <p>
        Prepare a key first, so that all verifiers learn it. An activated key signs, and the previous one is retired. A
        retired key stays in the key set until all tokens that it signed have expired.
      </p>
      <Permitted permission="qscope:keys.read">
        <Keys />
      </Permitted>
    </>
  )
}

function Keys() {
  const { api } = useSession()
  const [action, setAction] = useState<KeyAction | null>(null)
  const pages = usePages(
    async (pageToken, signal) => {
      const answer = await api.keys.listSigningKeys({ pageSize: PAGE_SIZE, pageToken }, { signal })
      return { items: answer.keys, nextPageToken: answer.nextPageToken }
    },
    [api],
  )
  const { items: keys, hasMore, isLoading, refusal, loadMore, reload } = pages
  const now = Date.now()
  const [start, end] = spanOf(keys.map(lifeOf), now)
  return (
    <>
      <div class="actions">
        <PermittedButton permission="qscope:keys.write" onClick={() => setAction({ kind: 'prepare' })}>
          Prepare a key
        </PermittedButton>
      </div>
      <RefusalNotice refusal={refusal} retry={reload} />
      <p class="quiet" role="status">
        {isLoading && 'Loading…'}
        {keys.length === 0 && !hasMore && 'There is no key yet. Issuing the first JWT creates one.'}
      </p>
      <ul class="cards wide">
        {keys.map((key) => (
          <KeyCard
            key={key.keyId}
            of={key}
            start={start}
            end={end}
            now={now}
            actions={actionsOf(key)}
            onAction={setAction}
          />
        ))}
      </ul>
      {hasMore && keys.length > 0 && !isLoading && refusal === null && (
        <button type="button" onClick={loadMore}>
          Show older keys
        </button>
      )}
      {action !== null && (
        <ChangeKey
          action={action}
          onClose={() => {
            setAction(null)
            reload()
          }}
        />
      )}
    </>
  )
}

/** What can be done to a key in its state. */
function actionsOf({ state, keyId }: SigningKey): readonly KeyAction[] {
  switch (state) {
    case SigningKeyState.PREPARED:
      return [
        { kind: 'activate', keyId },
        { kind: 'revoke', keyId },
      ]
    case SigningKeyState.ACTIVE:
      return [
        { kind: 'retire', keyId },
        { kind: 'revoke', keyId },
      ]
    case SigningKeyState.RETIRED:
      return [{ kind: 'revoke', keyId }]
    default:
      return []
  }
}

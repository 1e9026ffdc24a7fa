import { SigningAlgorithm, type SigningKey, SigningKeyState } from '../../../../src/gen/qscope/v1/key_service_pb.ts'
import { Badge, momentOf, type Tone } from '../../components/facts.tsx'
import { PermittedButton } from '../../components/permitted.tsx'
import { ACTION_NAMES, type KeyAction } from './change-key.tsx'
import { lifeOf, placeOf, type Stretch } from './life.ts'

interface KeyCardProps {
  readonly of: SigningKey
  /** What the line stands for, in milliseconds since 1970. */
  readonly start: number
  readonly end: number
  readonly now: number
  readonly actions: readonly KeyAction[]
  readonly onAction: (action: KeyAction) => void
}

const STATES: Readonly<Record<SigningKeyState, readonly [tone: Tone, word: string]>> = {
  [SigningKeyState.UNSPECIFIED]: ['plain', 'unknown'],
  [SigningKeyState.PREPARED]: ['warning', 'prepared'],
  [SigningKeyState.ACTIVE]: ['good', 'signing'],
  [SigningKeyState.RETIRED]: ['plain', 'retired'],
  [SigningKeyState.REVOKED]: ['bad', 'revoked'],
}

const ALGORITHMS: Readonly<Record<SigningAlgorithm, string>> = {
  [SigningAlgorithm.UNSPECIFIED]: 'unknown',
  [SigningAlgorithm.ES256]: 'ES256',
  [SigningAlgorithm.EDDSA]: 'EdDSA',
  [SigningAlgorithm.RS256]: 'RS256',
}

/** A key, and its life on a line that all keys share. */
export function KeyCard({ of, start, end, now, actions, onAction }: KeyCardProps) {
  const life = lifeOf(of)
  const [tone, word] = STATES[of.state] ?? STATES[SigningKeyState.UNSPECIFIED]
  return (
    <li class="card">
      <p>
        <Badge tone={tone}>{word}</Badge> <code>{of.keyId}</code> <span class="quiet">{ALGORITHMS[of.algorithm]}</span>
      </p>
      <div class="life" aria-hidden="true">
        {life.map((stretch) => (
          <span key={stretch.state} class={stretch.state} style={styleOf(stretch, start, end)} />
        ))}
        <span class="now" style={styleOf({ state: 'signing', from: now, to: now }, start, end)} />
      </div>
      <ol class="stretches">
        {life.map((stretch) => (
          <li key={stretch.state}>
            <span class={`dot ${stretch.state}`} aria-hidden="true" /> {stretch.state} {wordsFor(stretch)}
          </li>
        ))}
      </ol>
      <div class="actions">
        {actions.map((action) => (
          <PermittedButton
            key={action.kind}
            permission="qscope:keys.write"
            danger={action.kind === 'revoke'}
            onClick={() => onAction(action)}
          >
            {ACTION_NAMES[action.kind]}
            <span class="visually-hidden"> {of.keyId}</span>
          </PermittedButton>
        ))}
      </div>
    </li>
  )
}

function styleOf(stretch: Stretch, start: number, end: number) {
  const { left, width } = placeOf(stretch, start, end)
  return { left: `${left}%`, width: `${width}%` }
}

function wordsFor({ from, to }: Stretch): string {
  return `from ${momentOf(new Date(from))}${to === null ? '' : ` until ${momentOf(new Date(to))}`}`
}

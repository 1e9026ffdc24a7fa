import { useCallback } from 'preact/hooks'
import { ErrorReason } from '../../../src/gen/qscope/v1/error_reason_pb.ts'
import {
  type Finding,
  FindingState,
  type GetServerStatusResponse,
} from '../../../src/gen/qscope/v1/server_service_pb.ts'
import { Badge, Facts, Time, type Tone } from '../components/facts.tsx'
import { Heading } from '../components/heading.tsx'
import { Permitted } from '../components/permitted.tsx'
import { RefusalNotice } from '../components/refusal-notice.tsx'
import { useSession } from '../hooks/session.ts'
import { useInterval } from '../hooks/use-interval.ts'
import { useQuery } from '../hooks/use-query.ts'

/** The server keeps its findings for ten seconds. */
const REFRESH_MS = 10_000

export function Overview() {
  return (
    <>
      <Heading>Overview</Heading>
      <Permitted permission="qscope:server.read">
        <Status />
      </Permitted>
    </>
  )
}

function Status() {
  const { api } = useSession()
  const { value, refusal, reload, isLoading } = useQuery((signal) => api.server.getServerStatus({}, { signal }), [api])
  // A slow answer is awaited. A new question would give it up.
  const refresh = useCallback(() => isLoading || reload(), [isLoading, reload])
  useInterval(refresh, REFRESH_MS)
  return (
    <>
      <RefusalNotice refusal={refusal} retry={reload} />
      {value === null && isLoading && <p role="status">Loading…</p>}
      {value !== null && <StatusOf status={value} />}
    </>
  )
}

function StatusOf({ status }: { readonly status: GetServerStatusResponse }) {
  const { version, serving, startTime, examineTime, findings, calls, refusals } = status
  return (
    <>
      <Facts
        of={[
          ['State', <Badge tone={serving ? 'good' : 'bad'}>{serving ? 'serving' : 'not serving'}</Badge>],
          ['Version', version],
          ['Started', <Time of={startTime} />],
          ['Examined', <Time of={examineTime} />],
        ]}
      />
      <section aria-labelledby="findings">
        <h2 id="findings">Findings</h2>
        <ul class="cards">
          {findings
            .toSorted((a, b) => b.state - a.state)
            .map((finding) => (
              <FindingCard key={finding.check} finding={finding} />
            ))}
        </ul>
      </section>
      <div class="columns">
        <Rates
          title="Calls"
          empty="No calls yet."
          rows={calls.map(({ method, ...rate }) => ({ name: method.replace('qscope.v1.', ''), ...rate }))}
        />
        <Rates
          title="Refusals"
          empty="Nothing was refused."
          rows={refusals.map(({ reason, ...rate }) => ({ name: reasonName(reason), ...rate }))}
        />
      </div>
    </>
  )
}

const FINDINGS: Readonly<Record<FindingState, readonly [tone: Tone, word: string]>> = {
  [FindingState.UNSPECIFIED]: ['plain', 'unknown'],
  [FindingState.OK]: ['good', 'fine'],
  [FindingState.WARNING]: ['warning', 'warning'],
  [FindingState.PROBLEM]: ['bad', 'problem'],
}

function FindingCard({ finding: { check, state, finding, advice } }: { readonly finding: Finding }) {
  const [tone, word] = FINDINGS[state] ?? FINDINGS[FindingState.UNSPECIFIED]
  return (
    <li class="card">
      <p>
        <Badge tone={tone}>{word}</Badge> <strong>{check}</strong>
      </p>
      <p>{finding}</p>
      {advice !== '' && <p class="quiet">{advice}</p>}
    </li>
  )
}

interface Rate {
  readonly name: string
  readonly count: bigint
  readonly perSecond: number
}

function Rates({
  title,
  empty,
  rows,
}: {
  readonly title: string
  readonly empty: string
  readonly rows: readonly Rate[]
}) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {rows.length === 0 ? (
        <p class="quiet">{empty}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">
                Per second
              </th>
              <th scope="col" class="number">
                Since the start
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, count, perSecond }) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <td class="number">{perSecond.toFixed(perSecond < 10 ? 2 : 0)}</td>
                <td class="number">{count.toLocaleString('en')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function reasonName(reason: ErrorReason): string {
  return Object.entries(ErrorReason).find(([, value]) => value === reason)?.[0] ?? String(reason)
}

import { useState } from 'preact/hooks'
import { Heading } from '../../components/heading.tsx'
import { Permitted } from '../../components/permitted.tsx'
import { useDebounced } from '../../hooks/use-debounced.ts'
import type { Route } from '../../route.ts'
import { AuditExport } from './audit-export.tsx'
import { type AuditFilter, NO_FILTER } from './audit-filter.ts'
import { AuditFilterForm } from './audit-filter-form.tsx'
import { AuditFollower } from './audit-follower.tsx'
import { AuditList } from './audit-list.tsx'
import { AuditVerification } from './audit-verification.tsx'

export function AuditPage({ route }: { readonly route: Route }) {
  return (
    <>
      <Heading>Audit log</Heading>
      <Permitted permission="qscope:audit.read">
        <AuditLog route={route} />
      </Permitted>
    </>
  )
}

function AuditLog({ route: { parameters } }: { readonly route: Route }) {
  const [form, setForm] = useState<AuditFilter>({
    ...NO_FILTER,
    clientId: parameters.get('client') ?? '',
    userId: parameters.get('user') ?? '',
  })
  const [isFollowing, setFollowing] = useState(false)
  const filter = useDebounced(form)
  return (
    <>
      <AuditFilterForm filter={form} onChange={setForm} hasTimes={!isFollowing} />
      <div class="actions">
        <button type="button" aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>
          {isFollowing ? 'Stop following' : 'Follow'}
        </button>
        <AuditExport filter={isFollowing ? { ...filter, startTime: '', endTime: '' } : filter} />
      </div>
      {isFollowing ? <AuditFollower filter={filter} /> : <AuditList filter={filter} />}
      <AuditVerification />
    </>
  )
}

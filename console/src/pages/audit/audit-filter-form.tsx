import { TextField } from '../../components/field.tsx'
import type { AuditFilter } from './audit-filter.ts'

interface AuditFilterFormProps {
  readonly filter: AuditFilter
  readonly onChange: (filter: AuditFilter) => void
  /** Whether times matter: what is followed has yet to happen. */
  readonly hasTimes: boolean
}

export function AuditFilterForm({ filter, onChange, hasTimes }: AuditFilterFormProps) {
  const text = (key: keyof AuditFilter) => ({
    value: filter[key],
    onInput: (value: string) => onChange({ ...filter, [key]: value }),
  })
  return (
    <search class="filters">
      <TextField label="Event types" {...text('eventTypes')} />
      <TextField label="Client id" {...text('clientId')} />
      <TextField label="User id" {...text('userId')} />
      <TextField label="Ray id" {...text('rayId')} />
      {hasTimes && (
        <>
          <TextField label="From" type="datetime-local" {...text('startTime')} />
          <TextField label="Until" type="datetime-local" {...text('endTime')} />
        </>
      )}
    </search>
  )
}

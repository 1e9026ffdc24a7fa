import type { Refusal } from '../api/refusal.ts'

interface RefusalNoticeProps {
  readonly refusal: Refusal | null
  /** Whether the call was to change something. */
  readonly isOfChange?: boolean
  readonly retry?: () => void
}

/** Says why something was not done. What the token may not do is no error, and is not shown as one. */
export function RefusalNotice({ refusal, isOfChange = false, retry }: RefusalNoticeProps) {
  if (refusal === null) return null
  if (refusal.missingPermissions.length > 0) return <NotPermitted permissions={refusal.missingPermissions} />
  return (
    <div class="notice bad" role="alert">
      <p>{refusal.message}</p>
      {isOfChange && refusal.isUncertain && <p>It may have been done. Check before you try again.</p>}
      {refusal.violations.length > 0 && (
        <ul>
          {refusal.violations.map(({ field, description }) => (
            <li key={field}>
              <code>{field}</code> {description}
            </li>
          ))}
        </ul>
      )}
      {refusal.reason !== '' && (
        <p class="quiet">
          <code>{refusal.reason}</code>, ray id <code>{refusal.rayId}</code>
        </p>
      )}
      {retry !== undefined && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}

export function NotPermitted({ permissions }: { readonly permissions: readonly string[] }) {
  return (
    <p class="notice" role="status">
      Your token does not permit this. You need{' '}
      {permissions.map((permission, at) => (
        <span key={permission}>
          {at > 0 && ' and '}
          <code>{permission}</code>
        </span>
      ))}
      .
    </p>
  )
}

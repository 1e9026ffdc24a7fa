import type { ComponentChildren } from 'preact'
import type { Permission } from '../api/permissions.ts'
import { usePermission } from '../hooks/session.ts'
import { NotPermitted } from './refusal-notice.tsx'

/** Shows a part of a page to those who may see it, and says to others what they lack. */
export function Permitted({
  permission,
  children,
}: {
  readonly permission: Permission
  readonly children: ComponentChildren
}) {
  return usePermission(permission) ? children : <NotPermitted permissions={[permission]} />
}

/** Marks a link to what takes a permission that the token lacks. */
export function Lock({ permission }: { readonly permission: Permission }) {
  if (usePermission(permission)) return null
  return (
    <span class="locked" title={`Your token lacks ${permission}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M3 7h1V5a4 4 0 0 1 8 0v2h1v8H3zm3 0h4V5a2 2 0 0 0-4 0z" />
      </svg>
      <span class="visually-hidden"> (not permitted)</span>
    </span>
  )
}

/** A button for what takes a permission. Without it, it says so and does nothing. */
export function PermittedButton({
  permission,
  onClick,
  children,
  danger = false,
}: {
  readonly permission: Permission
  readonly onClick: () => void
  readonly children: ComponentChildren
  readonly danger?: boolean
}) {
  const isPermitted = usePermission(permission)
  return (
    <button
      type="button"
      class={danger ? 'danger' : undefined}
      aria-disabled={!isPermitted}
      title={isPermitted ? undefined : `Your token lacks ${permission}`}
      onClick={() => isPermitted && onClick()}
    >
      {children}
      {!isPermitted && <span class="visually-hidden"> (your token lacks {permission})</span>}
    </button>
  )
}

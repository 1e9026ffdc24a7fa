import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Permission } from '../api/permissions.ts'
import { Heading } from './heading.tsx'
import { Permitted } from './permitted.tsx'

interface ObjectPageProps {
  /** Such as `trusted issuer`. */
  readonly kind: string
  readonly name: string
  readonly permission: Permission
  /** What the page shows. It decides when the form is shown that changes the object. */
  readonly children: (isEditing: boolean, setEditing: (isEditing: boolean) => void) => ComponentChildren
}

/** The page of one object, and the form that changes it. Each has a heading of its own, so that screen readers announce it. */
export function ObjectPage({ kind, name, permission, children }: ObjectPageProps) {
  const [isEditing, setEditing] = useState(false)
  return (
    <>
      {isEditing ? (
        <Heading key="edit" title={`Change ${kind} ${name}`}>{`Change ${name}`}</Heading>
      ) : (
        <Heading key="detail" title={`${kind.charAt(0).toUpperCase()}${kind.slice(1)} ${name}`}>
          {name}
        </Heading>
      )}
      <Permitted permission={permission}>{children(isEditing, setEditing)}</Permitted>
    </>
  )
}

import type { Refusal } from '../api/refusal.ts'

/** Says that tokens and grants could not be counted. If the token may only not do that, nothing is wrong. */
export function Uncounted({ refusal }: { readonly refusal: Refusal | null }) {
  if (refusal === null || refusal.missingPermissions.length > 0) return null
  return (
    <p class="notice warning" role="status">
      The tokens and grants could not be counted: {refusal.message}
    </p>
  )
}

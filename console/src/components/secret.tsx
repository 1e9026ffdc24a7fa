import { useState } from 'preact/hooks'
import { useLeaveWarning } from '../hooks/use-leave-warning.ts'

/** A secret that is shown once. */
export function Secret({ value }: { readonly value: string }) {
  const [outcome, setOutcome] = useState('')
  const [isCopied, setCopied] = useState(false)
  useLeaveWarning(!isCopied)
  // A browser may refuse the clipboard, and has none at all where the page is not secure.
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value)
      setOutcome('Copied.')
      setCopied(true)
    } catch {
      setOutcome('The browser did not allow that. Select the value and copy it yourself.')
    }
  }
  return (
    <div class="notice good">
      <p>This value is shown only now. The server keeps no copy of it.</p>
      <p>
        <code class="secret" onCopy={() => setCopied(true)}>
          {value}
        </code>{' '}
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
      </p>
      <p role="status">{outcome}</p>
    </div>
  )
}

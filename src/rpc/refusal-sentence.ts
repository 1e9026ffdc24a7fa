import { withoutSecrets } from '../domain/masked-text.ts'
import { type ErrorDetails, type ErrorRow, registry } from '../errors/registry.ts'
import type { FailedResult } from '../results.ts'

/** Clients give up on trailers beyond 8 KiB, of which the sentence is one. */
const LONGEST_PART = 200
const PLACEHOLDER = /\{(\w+)\}/g

/** What a refusal says to its caller: what is wrong, and what to do about it. */
export function sentenceOf({ code, details }: FailedResult): string {
  const row: ErrorRow<ErrorDetails> = registry[code]
  const sentence = (details.because === undefined ? undefined : row.cases?.[details.because]) ?? row.description
  return sentence.includes('{') ? sentence.replace(PLACEHOLDER, (_, name: string) => partOf(name, details)) : sentence
}

function partOf(name: string, { resource, quota, metadata }: ErrorDetails): string {
  switch (name) {
    case 'type':
      return resource?.type.replaceAll('_', ' ') ?? 'resource'
    case 'name':
      return JSON.stringify(shown(resource?.name ?? ''))
    case 'limit':
      return quota?.description ?? 'a cap or a rate'
    default:
      return shown(metadata?.[name] ?? '')
  }
}

/** The caller's own words, without what is secret in them. */
function shown(text: string): string {
  const masked = withoutSecrets(text)
  return masked.length > LONGEST_PART ? `${masked.slice(0, LONGEST_PART)}…` : masked
}

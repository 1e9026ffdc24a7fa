import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { CLIENT_ID, type Milliseconds, milliseconds } from '../domain/ids.ts'
import { isReservedScope, isScopeToken } from '../domain/scopes.ts'
import {
  type AssertionRule,
  type ClaimPattern,
  claimPattern,
  type KeyLocation,
  type TrustedIssuer,
} from '../domain/trusted-issuer.ts'
import { ExpressionCompiler } from '../expressions/expression.ts'
import { RuleEvaluator } from '../expressions/rule-expressions.ts'
import { messageOf } from '../message-of.ts'
import { checkUrl } from '../url.ts'
import { isLoopback } from './address.ts'
import { parseDuration } from './duration.ts'

const LONGEST_SCOPE = 128
const LONGEST_LIFETIME = milliseconds(86_400_000)

const duration = z.string().transform((text, context): Milliseconds => {
  const ms = parseDuration(text)
  if (ms !== null && ms > 0) return milliseconds(ms)
  context.addIssue({ code: 'custom', message: 'should be a duration such as 1h' })
  return z.NEVER
})

/** RFC 6749 §3.3. Permissions of this server are never issued for an assertion. */
function isIssuable(scope: string): boolean {
  return scope.length <= LONGEST_SCOPE && isScopeToken(scope) && !isReservedScope(scope)
}

/** `sub`, or a JSON pointer (RFC 6901) such as `/kubernetes.io/namespace`. */
const claims = z.record(z.string().min(1), z.string()).transform((given, context): readonly ClaimPattern[] => {
  const entries = Object.entries(given)
  return entries.flatMap(([name, text]) => {
    const pattern = claimPattern(name, text)
    if (pattern !== null) return [pattern]
    const message = 'should be a string, or a prefix followed by *'
    context.addIssue({ code: 'custom', path: [name], message })
    return []
  })
})

const expression = z.string().min(1)
const MOST_TOKEN_CLAIMS = 20

/** Checked even if something else is wrong, so that all problems are reported together. */
const always = { when: ({ value }: { readonly value: unknown }) => typeof value === 'object' && value !== null }

/** RFC 7519 §2, StringOrURI. Names are compared character by character, so invisible characters are rejected. */
const name = z.string().regex(/^[^\s\p{Cc}\p{Cf}]+$/u, 'should be a string without white space and control characters')

const ISSUER = z
  .strictObject({
    issuer: name.max(1_024),
    jwks_file: z.string().min(1).optional(),
    jwks_url: z.string().superRefine(fetchable).optional(),
    jwks_ca_file: z.string().min(1).optional(),
    audience: name.optional(),
    single_use: z.boolean().default(false),
    max_lifetime: duration.default(LONGEST_LIFETIME),
    rules: z
      .array(
        z
          .strictObject({
            claims: claims.default([]),
            condition: expression.optional(),
            client_id: z.string().regex(CLIENT_ID, 'should be a client id'),
            scopes: z
              .array(z.string().refine(isIssuable, 'should be a scope that does not begin with qscope:'))
              .min(1)
              .max(200),
            scopes_expression: expression.optional(),
            token_claims: z.record(z.string(), expression).default({}),
          })
          .refine((rule) => rule.claims.length > 0 || rule.condition !== undefined, {
            error:
              'should have claims, a condition or both, because a rule without them would apply to every assertion',
          }),
      )
      .min(1),
  })
  .refine(({ jwks_file: file, jwks_url: url }) => (file === undefined) !== (url === undefined), {
    error: 'should have either jwks_file or jwks_url, not both',
    ...always,
  })
  .refine(({ jwks_ca_file: ca, jwks_url: url }) => ca === undefined || url !== undefined, {
    error: 'jwks_ca_file requires jwks_url',
    ...always,
  })

const FILE = z.strictObject({ issuers: z.array(ISSUER).min(1) })

export interface TrustedIssuersFile {
  readonly issuers: readonly TrustedIssuer[]
  /** All problems. If there are any, there are no issuers. */
  readonly problems: readonly string[]
}

/** Reads the file of trusted issuers. `audience`: the default for issuers without one. Never throws. */
export function readTrustedIssuers(path: string, audience: string): TrustedIssuersFile {
  const problems: string[] = []
  const result = FILE.safeParse(parsed(path, problems))
  if (problems.length > 0) return { issuers: [], problems }
  if (!result.success) return { issuers: [], problems: result.error.issues.map(describe) }
  const evaluator = new RuleEvaluator(new ExpressionCompiler())
  const seen = new Set<string>()
  const issuers = result.data.issuers.map((given, index): TrustedIssuer => {
    const complain = (problem: string) => problems.push(`issuers[${index}]: ${problem}`)
    const complainAt = (problem: string) => problems.push(`issuers[${index}].${problem}`)
    if (seen.has(given.issuer)) complain(`${given.issuer} is listed twice`)
    seen.add(given.issuer)
    return Object.freeze({
      issuer: given.issuer,
      origin: 'file',
      displayName: given.issuer,
      kind: 'jwt',
      trustDomain: null,
      keys: locationOf(given, dirname(path), complain),
      audience: given.audience ?? audience,
      singleUse: given.single_use,
      maxLifetime: given.max_lifetime,
      rules: given.rules.map((rule, at) => ruleOf(rule, evaluator, (problem) => complainAt(`rules[${at}].${problem}`))),
    })
  })
  return problems.length > 0 ? { issuers: [], problems } : { issuers: Object.freeze(issuers), problems }
}

/** Expressions are compiled here, so that the server does not start with an invalid one. */
function ruleOf(
  given: z.infer<typeof ISSUER>['rules'][number],
  evaluator: RuleEvaluator,
  complain: (problem: string) => void,
): AssertionRule {
  const { condition = null, scopes_expression: scopesExpression = null, token_claims: tokenClaims } = given
  if (Object.keys(tokenClaims).length > MOST_TOKEN_CLAIMS)
    complain(`token_claims: should be ${MOST_TOKEN_CLAIMS} at most`)
  const rule = {
    claims: given.claims,
    condition,
    clientId: given.client_id,
    scopes: given.scopes,
    scopesExpression,
    tokenClaims,
  }
  for (const { field, description } of evaluator.problemsOf(rule)) complain(`${field}: ${description}`)
  return rule
}

function parsed(path: string, problems: string[]): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    problems.push(`cannot be read as JSON (${messageOf(error)})`)
    return null
  }
}

/** Paths are relative to the file that contains them. */
function locationOf(
  { jwks_file: file, jwks_url: url, jwks_ca_file: caFile }: z.infer<typeof ISSUER>,
  folder: string,
  complain: (problem: string) => void,
): KeyLocation {
  if (url === undefined) return { kind: 'file', path: resolve(folder, file ?? '') }
  return { kind: 'url', url, ca: caFile === undefined ? null : certificatesOf(resolve(folder, caFile), complain) }
}

function certificatesOf(path: string, complain: (problem: string) => void): string | null {
  try {
    const pem = readFileSync(path, 'utf8')
    new X509Certificate(pem)
    return pem
  } catch (error) {
    complain(`jwks_ca_file should be certificates in PEM: ${messageOf(error)}`)
    return null
  }
}

function fetchable(text: string, context: z.RefinementCtx): void {
  const checked = checkUrl(text, { query: true })
  const secure = checked.ok && (checked.url.protocol === 'https:' || isLoopback(checked.url.hostname))
  if (secure) return
  const why = checked.ok ? '' : `: it ${checked.problem}`
  context.addIssue({ code: 'custom', message: `should be an https URL (http on loopback only)${why}` })
}

/** `issuers[0].rules[1].scopes[0]: …`. */
function describe({ path, message }: z.core.$ZodIssue): string {
  const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return place === '' ? message : `${place.replace(/^\./, '')}: ${message}`
}

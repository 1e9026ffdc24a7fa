import { createHash } from 'node:crypto'
import { ERROR_ADVICE } from '../../errors/advice.ts'
import { type ErrorCode, type ErrorDetails, type ErrorRow, registry } from '../../errors/registry.ts'
import { anchorOf, reasonOf } from '../../rpc/rpc-status.ts'
import type { Endpoint } from './endpoints.ts'
import type { Answer } from './exchange/answer.ts'

/** The path of the error documentation. The Help link of each refusal adds the anchor of the error. */
const ERRORS_PATH = '/docs/errors'
const MAX_AGE_S = 3_600

const STYLE = `body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:0 auto;padding:1rem;color:#1b1b1b;background:#fff}
code{font-family:ui-monospace,monospace}dt{font-weight:600}dd{margin:0 0 .5rem}h2:target{background:#fff3bf}
@media (prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}a{color:#8ab4f8}h2:target{background:#5c4b00}}`

/** The page may not load, run, frame or send anything. Its only style is allowed by its hash. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Describes the meaning of every error and its remedy. The page is built once from the registry. */
export class ErrorsPageEndpoint implements Endpoint {
  readonly path = ERRORS_PATH
  readonly #answer: Answer = Object.freeze({
    status: 200,
    contentType: 'text/html; charset=utf-8',
    cacheControl: `public, max-age=${MAX_AGE_S}`,
    headers: Object.freeze({ 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' }),
    body: page(),
  })

  answer(): Answer {
    return this.#answer
  }
}

function page(): string {
  // The keys of the registry are the codes.
  const codes = Object.keys(registry) as ErrorCode[]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>QScope: errors</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Errors of QScope</h1>
<p>A refusal carries its reason in <code>google.rpc.ErrorInfo</code> and a ray id in <code>google.rpc.RequestInfo</code>.
The log and the audit log of the server name the same ray id.</p>
<nav aria-label="Errors">
<ul>
${codes.map((code) => `<li><a href="#${anchorOf(code)}"><code>${reasonOf(code)}</code></a></li>`).join('\n')}
</ul>
</nav>
${codes.map(section).join('\n')}
</main>
</body>
</html>
`
}

function section(code: ErrorCode): string {
  const { description, status, oauthError, http, rfc, retryable }: ErrorRow<ErrorDetails> = registry[code]
  const { when, details, advice } = ERROR_ADVICE[code]
  const facts = [
    ['OAuth error', oauthError === null ? 'none' : `<code>${escaped(oauthError)}</code> (${escaped(rfc ?? '')})`],
    ['gRPC status', `<code>${status}</code>`],
    ['Over the forms of OAuth', `${http.status} <code>${oauthError ?? http.error}</code>`],
    ['Details', marked(details)],
    ['May be sent again as it is', retryable ? 'yes' : 'no, unless the details say so'],
    ['When', marked(when)],
    ['What to do', marked(advice)],
  ]
  return `<section aria-labelledby="${anchorOf(code)}">
<h2 id="${anchorOf(code)}"><code>${reasonOf(code)}</code></h2>
<p>${escaped(description)}</p>
<dl>
${facts.map(([name, text]) => `<dt>${name}</dt><dd>${text}</dd>`).join('\n')}
</dl>
</section>`
}

/** Formats the advice, which is Markdown that uses only code and links to other pages. */
function marked(text: string): string {
  return escaped(text)
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
    .replaceAll(/\[([^[\]]+)\]\([^()]*\)/g, '$1')
}

const ENTITIES: Readonly<Record<string, string>> = Object.freeze({
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
})

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

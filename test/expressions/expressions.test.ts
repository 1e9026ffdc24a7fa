import { describe, expect, it } from 'vitest'
import { RESERVED_CLAIMS } from '../../src/domain/reserved-claims.ts'
import type { AssertionRule } from '../../src/domain/trusted-issuer.ts'
import { Expression, ExpressionCompiler, type ResultKind } from '../../src/expressions/expression.ts'
import { RuleEvaluator } from '../../src/expressions/rule-expressions.ts'

const compiler = new ExpressionCompiler()
const evaluator = new RuleEvaluator(compiler)
const RULE: AssertionRule = {
  claims: [],
  condition: null,
  clientId: 'deployer',
  scopes: ['a', 'b', 'c'],
  scopesExpression: null,
  tokenClaims: {},
}

/** The problem of an expression; empty if there is none. */
function problemWith(text: string, kind: ResultKind = 'claim'): string {
  const compiled = compiler.compile(text, kind)
  return compiled instanceof Expression ? '' : String(compiled)
}

/** The value or the problem of a rule with one claim. */
function made(text: string, claims: Readonly<Record<string, unknown>> = {}): unknown {
  const outcome = evaluator.evaluate([{ ...RULE, tokenClaims: { made: text } }], claims)
  return outcome.ok ? outcome.extra?.['made'] : outcome.problem
}

/** The registered claims of RFC 7519, and claims that bind, delegate or revoke a token, whatever the list has. */
const DECISIVE_CLAIMS = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'rvk', 'cnf', 'act', 'txn']

const nested = (depth: number, text: string) => '['.repeat(depth) + text + ']'.repeat(depth)

describe('an expression is refused when it is compiled', () => {
  it.each<[string, ResultKind, RegExp]>([
    ['', 'condition', /^at line 1, column 1: is not valid CEL/],
    ['claims.a ==', 'condition', /is not valid CEL/],
    ['true &&\n  claim.a == 1', 'condition', /^at line 2, column 3: has no variable claim, only claims$/],
    ['1 + "a" == 2', 'condition', /_\+_ does not accept \(int, string\)/],
    ['claims + 1', 'claim', /does not accept \(map\(string, any\), int\)/],
    ['"a".b', 'claim', /string has no fields/],
    ['1[0]', 'claim', /int has no element for int/],
    ['[1]["a"]', 'claim', /list\(int\) has no element for string/],
    ['1 ? 2 : 3', 'claim', /requires bool before it/],
    ['size(claims)', 'condition', /must return bool, but returns int/],
    ['"read"', 'scopes', /must return list\(string\), but returns string/],
    ['[1, 2]', 'scopes', /must return list\(string\), but returns list\(int\)/],
    ['claims.groups.map(g, size(g))', 'scopes', /returns list\(int\)/],
    ['"abc".map(x, x)', 'claim', /can iterate only over a list or a map, not over string/],
    ['{1: 2}', 'claim', /strings as the keys of a map/],
  ])('for its syntax or its types: %s', (text, kind, problem) => {
    expect(problemWith(text, kind)).toMatch(problem)
  })

  it.each([
    'claims.a.matches("(a+)+$")',
    'timestamp(claims.iat)',
    'duration("1h")',
    'type(claims)',
    'dyn(1)',
    'bytes("a")',
    'b"a"',
    '1u',
    'now()',
    'cel.bind(x, claims, x)',
    'google.protobuf.Timestamp{seconds: 1}',
    'claims.a.getHours()',
    '@bounded(claims.a, 1)',
    'claims.a.replace("a", "b")',
  ])('for a function or a type that is not allowed: %s', (text) => {
    expect(problemWith(text)).not.toBe('')
  })

  it.each([
    ['its length', `"${'x'.repeat(2_047)}"`, /2048 characters/],
    ['its brackets', nested(25, '1'), /24 nested brackets/],
    ['its depth', `${'claims'}${'.a'.repeat(40)}`, /nested more than 32 deep/],
    ['its size', `[${'1,'.repeat(300)}1]`, /250 parts/],
    ['its comprehensions', Array(5).fill('claims.a.all(x, x)').join(' && '), /4 comprehensions/],
    ['nested comprehensions', 'claims.a.map(x, x.map(y, y.map(z, z)))', /2 nested comprehensions/],
  ])('for %s', (_what, text, problem) => {
    expect(problemWith(text)).toMatch(problem)
  })

  it.each([
    ...new Set([...DECISIVE_CLAIMS, ...RESERVED_CLAIMS]),
    'qscope',
    'qscope_x',
    'QScope:x',
    '',
    'a b',
    'x'.repeat(65),
    'é',
  ])('for a claim of the reserved name %j', (name) => {
    expect(evaluator.problemsOf({ ...RULE, tokenClaims: { [name]: '1' } })).toHaveLength(1)
  })

  it('with each field that is wrong', () => {
    const rule = {
      ...RULE,
      condition: '1',
      scopesExpression: '1',
      tokenClaims: { team: ')', 'https://a.example/x': '1' },
    }
    expect(evaluator.problemsOf(rule).map(({ field }) => field)).toEqual([
      'condition',
      'scopes_expression',
      'token_claims["team"]',
    ])
  })
})

describe('an expression returns JSON', () => {
  const claims = { sub: 'a:b:c', n: 1.5, list: [1, 'x', null], 'kubernetes.io': { namespace: 'shop' }, yes: true }

  it.each<[string, unknown]>([
    ['claims', claims],
    ['claims["kubernetes.io"].namespace', 'shop'],
    ['claims.sub.split(":")[1]', 'b'],
    ['"TEAM".lowerAscii()', 'team'],
    ['claims.list.filter(x, x != null)', [1, 'x']],
    ['{"a": claims.n * 2.0, "b": [size(claims.list), 1 - 2]}', { a: 3, b: [3, -1] }],
    ['has(claims.none) ? claims.none : "fallback"', 'fallback'],
    ['claims.none == 1 || claims.yes', true],
    ['claims.list.exists_one(x, x == 1.0)', true],
    ['-0.0', 0],
    ['null', null],
  ])('%s', (text, value) => {
    expect(problemWith(text)).toBe('')
    expect(made(text, claims)).toEqual(value)
  })

  it.each<[string, RegExp]>([
    ['claims.none', /^rules\[0\]\.token_claims\["made"\]: field not found: none$/],
    ['claims.sub + claims.n', /no matching overload/],
    ['1 / 0', /divide by zero/],
    ['9223372036854775807 + 1', /overflow/],
    ['1.0 / 0.0', /a number that JSON cannot represent/],
    ['9007199254740993', /a number that JSON cannot represent/],
    ['claims.list[7]', /index/],
    ['int("x")', /./],
    [`[${'claims,'.repeat(40)}claims]`, /returns too much/],
  ])('or a problem: %s', (text, problem) => {
    expect(problemWith(text)).toBe('')
    expect(made(text, claims)).toMatch(problem)
  })

  it('without surrogates, deep nesting or changes of prototypes', () => {
    expect(made('claims.x', { x: '\ud800' })).toMatch(/surrogate/)
    expect(made('claims.x', { x: JSON.parse(nested(20, '1')) })).toMatch(/more than 16 deep/)
    expect(made('claims.x', JSON.parse(`{"x": 1, "y": ${nested(100, '1')}}`))).toMatch(/more than 32 deep/)
    const hostile = JSON.parse('{"constructor": {"name": "x"}, "__proto__": {"polluted": 1}}')
    expect(JSON.stringify(made('claims', hostile))).toBe(JSON.stringify(hostile))
    expect('polluted' in {}).toBe(false)
  })
})

describe('an expression that compiles has a bounded evaluation', () => {
  const bombs = {
    ones: Array.from({ length: 256 }, () => 1),
    many: Array.from({ length: 5_000 }, () => 1),
    names: Array.from({ length: 256 }, (_, at) => `group-${at}`),
    long: 'x'.repeat(12_000),
  }

  it.each([
    'claims.ones.map(x, claims.ones.map(y, x))',
    'claims.ones.all(x, claims.ones.all(y, x == y))',
    'claims.names.all(x, x in claims.names)',
    'claims.ones.map(x, claims.long + claims.long).map(x, x + x).map(x, x + x)',
    'claims.ones.map(x, claims.long.split(""))',
    'claims.ones.all(x, claims.long.contains(claims.long + "y") || true)',
    'claims.ones.all(x, size(claims.long) > 0)',
    '[claims, claims, claims, claims] == [claims, claims, claims, claims]',
    // An ignored error in each round costs as much as its expression.
    `claims.ones.all(x, ${'x.y || '.repeat(20)} true)`,
    'claims.ones.exists(x, claims.ones.exists(y, y + "a" == x + "b"))',
  ])('%s', (text) => {
    expect(problemWith(text)).toBe('')
    expect(made(text, bombs)).toMatch(
      /exceeds the step limit of an evaluation|returns too much|creates a string of more than/,
    )
  })

  it('without iterating over long lists, or creating long strings', () => {
    expect(made('claims.many.all(x, true)', bombs)).toMatch(/more than 256 elements/)
    expect(made('size(claims.long + claims.long)', bombs)).toMatch(/more than 16384 characters/)
    expect(made(`int(claims.long)`, bombs)).toMatch(/to a number/)
  })

  it('with one step limit for all expressions of an assertion', () => {
    const costly = { ...RULE, condition: 'claims.names.exists(x, x == "none")' }
    expect(evaluator.evaluate([costly], bombs)).toMatchObject({ ok: true, rule: null })
    expect(evaluator.evaluate(new Array<AssertionRule>(100).fill(costly), bombs)).toMatchObject({ ok: false })
    // The next assertion has the full limit again.
    expect(evaluator.evaluate([costly], { names: ['none'] })).toMatchObject({
      ok: true,
      rule: { clientId: 'deployer' },
    })
  })

  it('that does not change Error.stackTraceLimit', () => {
    const { stackTraceLimit } = Error
    made('claims.none', {})
    expect(Error.stackTraceLimit).toBe(stackTraceLimit)
  })
})

describe('rules', () => {
  const choose = (rule: Partial<AssertionRule>, claims: Readonly<Record<string, unknown>>) =>
    evaluator.evaluate([{ ...RULE, ...rule }], claims)

  it('map claims of Kubernetes and GitHub workloads', () => {
    const kubernetes = {
      sub: 'system:serviceaccount:shop:orders',
      'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'orders' }, pod: { name: 'orders-7d9' } },
    }
    const pod = {
      condition: 'claims["kubernetes.io"].namespace in ["shop", "cart"] && has(claims["kubernetes.io"].pod)',
      tokenClaims: {
        'k8s.namespace': 'claims["kubernetes.io"].namespace',
        'k8s.workload':
          '{"account": claims["kubernetes.io"].serviceaccount.name, "pod": claims["kubernetes.io"].pod.name}',
      },
    }
    expect(choose(pod, kubernetes)).toMatchObject({
      ok: true,
      extra: { 'k8s.namespace': 'shop', 'k8s.workload': { account: 'orders', pod: 'orders-7d9' } },
    })
    const github = {
      sub: 'repo:octo/shop:ref:refs/heads/main',
      repository: 'octo/shop',
      repository_owner: 'octo',
      ref: 'refs/heads/main',
      environment: 'production',
      run_attempt: '2',
    }
    const job = {
      condition: 'claims.repository_owner == "octo" && claims.ref.startsWith("refs/heads/")',
      scopesExpression: 'claims.ref == "refs/heads/main" ? ["a", "b"] : ["a"]',
      tokenClaims: { repository: 'claims.repository', attempt: 'int(claims.run_attempt)' },
    }
    expect(choose(job, github)).toMatchObject({
      ok: true,
      rule: { scopes: ['a', 'b'] },
      extra: { repository: 'octo/shop', attempt: 2 },
    })
    expect(choose(job, { ...github, ref: 'refs/heads/topic' })).toMatchObject({ rule: { scopes: ['a'] } })
    expect(choose(job, { ...github, repository_owner: 'evil' })).toEqual({ ok: true, rule: null, extra: null })
  })

  it('choose only among their scopes', () => {
    const chosen = choose({ scopesExpression: 'claims.scopes' }, { scopes: ['c', 'qscope:clients.write', 'a', 'a'] })
    expect(chosen).toMatchObject({ ok: true, rule: { scopes: ['a', 'c'] } })
    expect(choose({ scopesExpression: 'claims.scopes' }, { scopes: 'a' })).toMatchObject({ ok: false })
    expect(choose({ scopesExpression: 'claims.scopes' }, { scopes: [1] })).toMatchObject({ ok: false })
  })

  it('fail when an earlier one cannot be evaluated', () => {
    const rules = [
      { ...RULE, condition: 'claims.team == "x"' },
      { ...RULE, condition: 'true' },
    ]
    expect(evaluator.evaluate(rules, {})).toEqual({ ok: false, problem: 'rules[0].condition: field not found: team' })
    expect(evaluator.evaluate(rules, { team: 'y' })).toMatchObject({ ok: true, rule: rules[1] })
    expect(evaluator.evaluate([{ ...RULE, condition: 'claims.team' }], { team: 'y' })).toMatchObject({ ok: false })
  })

  it('add at most 2 KiB of claims in total', () => {
    const text = (length: number) => ({ a: `"${'é'.repeat(length)}"`, b: '1' })
    expect(choose({ tokenClaims: text(1_000) }, {})).toMatchObject({ ok: true })
    expect(choose({ tokenClaims: text(1_020) }, {})).toEqual({
      ok: false,
      problem: 'rules[0].token_claims: contain more than 2048 bytes of JSON',
    })
  })
})

import { writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, it } from 'vitest'
import { backgroundCall, backgroundContext, type Caller } from '../../src/context.ts'
import { clientId as toClientId, tokenId as toTokenId } from '../../src/domain/ids.ts'
import { PERMISSIONS } from '../../src/domain/scopes.ts'
import { FlowRunner } from '../../src/flows/runner.ts'
import { updateTrustedIssuer as changeIssuer } from '../../src/flows/trust/update-trusted-issuer.ts'
import { AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import {
  type TrustedIssuer,
  TrustedIssuerKind,
  type TrustedIssuerSchema,
  TrustService,
} from '../../src/gen/qscope/v1/trust_service_pb.ts'
import type { Ending, TransactionStores } from '../../src/stores/contract/backend.ts'
import type { StoreContext } from '../../src/stores/contract/context.ts'
import { inSeconds, jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { quiet } from '../stores/given.ts'

const { createTrustedIssuer, deleteTrustedIssuer, getTrustedIssuer, listTrustedIssuers, updateTrustedIssuer } =
  TrustService.method
const { exchangeAssertion, mintToken } = TokenService.method

type Wanted = Exclude<MessageInitShape<typeof TrustedIssuerSchema>, { $typeName: string }>

const OF_FILE = 'https://of-file.example'
const folder = await mkdtemp(join(tmpdir(), 'qscope-trust-'))
const file = join(folder, 'issuers.json')
const filePair = signingPair('ES256')
writeFileSync(join(folder, 'jwks.json'), jwksOf(filePair))
writeFileSync(
  file,
  JSON.stringify({
    issuers: [
      {
        issuer: OF_FILE,
        jwks_file: 'jwks.json',
        rules: [{ claims: { sub: 'job' }, client_id: 'of-file', scopes: ['a'] }],
      },
    ],
  }),
)

onEveryBackend(
  'TrustService',
  (server, database) => {
    const admin = () => ({ bearer: server.admin.token })
    let pair: SigningPair
    beforeAll(() => {
      pair = signingPair('ES256')
    })

    const wanted = (more: Wanted = {}): Wanted => ({
      issuer: `https://${server.unique('ci-')}.example`,
      keys: { case: 'jwks', value: jwksOf(pair) },
      rules: [rule('nobody-yet')],
      ...more,
    })
    const rule = (clientId: string, more: object = {}) => ({ claims: { sub: 'job' }, clientId, scopes: ['a'], ...more })
    const create = async (more: Wanted = {}, as = admin()): Promise<TrustedIssuer> => {
      const { trustedIssuer } = await server.call(createTrustedIssuer, { trustedIssuer: wanted(more) }, as)
      if (trustedIssuer === undefined) throw new Error('the answer has no issuer')
      return trustedIssuer
    }
    const get = async (issuer: string) => (await server.call(getTrustedIssuer, { issuer }, admin())).trustedIssuer
    const update = async (trustedIssuer: Wanted, paths?: string[], more: object = {}, as = admin()) =>
      (
        await server.call(
          updateTrustedIssuer,
          { trustedIssuer, ...(paths !== undefined && { updateMask: { paths } }), ...more },
          as,
        )
      ).trustedIssuer
    const remove = (issuer: string, more: object = {}, as = admin()) =>
      server.call(deleteTrustedIssuer, { issuer, ...more }, as)
    /** The violations of a refused call: `field description` of each. */
    const violationsOf = async (call: Promise<unknown>) => {
      const { reason, details } = await refusalOf(call)
      expect(reason).toBe('OAUTH_INVALID_REQUEST')
      return details.badRequest?.fieldViolations.map(({ field, description }) => `${field} ${description}`) ?? []
    }
    const assertion = (issuer: string, by = pair, more: object = {}) =>
      signed(by, { iss: issuer, sub: 'job', aud: server.issuer, exp: inSeconds(300), ...more })
    const exchange = async (jwt: string) => (await server.call(exchangeAssertion, { assertion: jwt })).token
    /** Whose assertions may stand for it. */
    const workload = (scopes = ['a', 'b']) => server.registerClient({ scopes, grantTypes: [GrantType.JWT_BEARER] })
    /** A client that the tokens of an issuer authenticate. */
    const federatedBy = (issuer: string, scopes: string[]) =>
      server.registerClient({
        authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
        federatedIdentities: [{ issuer, subject: 'job' }],
        scopes,
      })
    /** The bearer token of a client with these permissions. */
    const holderOf = async (...scopes: string[]) => {
      const { client } = await server.registerClient({ scopes })
      const { token } = await server.call(mintToken, { client })
      return { bearer: token?.accessToken ?? '' }
    }
    const eventsOf = async (issuer: string) =>
      (await server.auditEvents({}))
        .filter(({ metadata }) => metadata['issuer'] === issuer)
        .map(({ eventType, metadata, actor }) => ({ eventType, metadata, actor }))
        .reverse()

    describe('CreateTrustedIssuer', () => {
      it('applies from the next call on, and is audited with its caller', async () => {
        const { clientId } = await workload()
        const issuer = `https://${server.unique('new-')}.example`
        const jwt = await assertion(issuer)
        expect((await refusalOf(exchange(jwt))).reason).toBe('OAUTH_INVALID_GRANT')
        const created = await create({ issuer, rules: [rule(clientId)] })
        expect((await exchange(jwt))?.scopes).toEqual(['a'])
        expect(created).toMatchObject({
          issuer,
          displayName: issuer,
          kind: TrustedIssuerKind.JWT,
          singleUse: false,
          maxLifetime: { seconds: 3_600n },
          audience: '',
          createdBy: server.admin.clientId,
          updatedBy: server.admin.clientId,
          readOnly: false,
        })
        expect(created.etag).not.toBe('')
        expect(created.createTime).toEqual(created.updateTime)
        expect(await get(issuer)).toEqual(created)
        expect(await eventsOf(issuer)).toEqual([
          {
            eventType: 'trust.issuer_created',
            actor: server.admin.clientId,
            metadata: { issuer, kind: 'jwt', keys: 'inline', clients: clientId },
          },
        ])
      })

      it('applies all settings: audience, single use, longest lifetime, claims by pointer', async () => {
        const { clientId } = await workload()
        const { issuer } = await create({
          audience: 'qscope',
          singleUse: true,
          maxLifetime: { seconds: 600n },
          rules: [{ claims: { '/ci/project': 'shop/*' }, clientId, scopes: ['b'] }],
        })
        const jwt = (more: object = {}) =>
          assertion(issuer, pair, {
            aud: 'qscope',
            jti: server.unique('jti-'),
            ci: { project: 'shop/orders' },
            ...more,
          })
        const good = await jwt()
        expect((await exchange(good))?.scopes).toEqual(['b'])
        for (const bad of [
          good,
          await jwt({ aud: server.issuer }),
          await jwt({ jti: undefined }),
          await jwt({ exp: inSeconds(1_000) }),
          await jwt({ ci: { project: 'other' } }),
        ]) {
          expect((await refusalOf(exchange(bad))).reason).toBe('OAUTH_INVALID_GRANT')
        }
      })

      it('creates one for 10 concurrent calls with one name, and refuses the others as a conflict', async () => {
        const issuer = `https://${server.unique('raced-')}.example`
        const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => create({ issuer })))
        const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.reason] : []))
        expect(refused).toEqual(Array.from({ length: 9 }, () => 'RESOURCE_CONFLICT'))
        expect(await eventsOf(issuer)).toHaveLength(1)
      })

      it('refuses one of the server’s file, and this server itself', async () => {
        const refusal = await refusalOf(create({ issuer: OF_FILE }))
        expect(refusal.reason).toBe('RESOURCE_CONFLICT')
        expect(refusal.message).toContain('file of trusted issuers')
        expect(await violationsOf(create({ issuer: server.issuer }))).toEqual([
          'trusted_issuer.issuer is this server itself, whose own tokens are not accepted as assertions',
        ])
      })

      it('reports all problems at once with their paths', async () => {
        const wrong = create({
          issuer: 'https://a b.example',
          audience: 'a\nb',
          rules: [
            { clientId: 'ok-client', scopes: ['a'] },
            { claims: { sub: 'x' }, clientId: 'no client', scopes: ['qscope:consent', 'a"b', 'qscope:unknown', 'ok'] },
          ],
        })
        const name = 'must not be empty or contain white space, control characters or invisible characters'
        expect(await violationsOf(wrong)).toEqual([
          `trusted_issuer.issuer ${name}`,
          `trusted_issuer.audience ${name}`,
          'trusted_issuer.rules[0] needs claims, a condition or both: without them it matches every assertion',
          'trusted_issuer.rules[1].client_id must be the id of a client',
          'trusted_issuer.rules[1].scopes[0] must be a scope that does not begin with qscope:',
          'trusted_issuer.rules[1].scopes[1] must be a scope that does not begin with qscope:',
          'trusted_issuer.rules[1].scopes[2] must be a scope that does not begin with qscope:',
        ])
      })

      it('refuses names with invisible characters', async () => {
        for (const character of ['\u0000', '\u0007', '\t', '\u007f', '\u200b', '\u202e', '\ufeff', '\u00a0']) {
          const [violation] = await violationsOf(create({ issuer: `https://a${character}.example` }))
          expect(violation).toMatch(
            /^trusted_issuer.issuer (must not be empty or contain white space|contains the character U)/,
          )
        }
        expect(await violationsOf(create({ issuer: '' }))).toHaveLength(1)
      })

      it('refuses unusable and private keys, without quoting them', async () => {
        const { privateKey } = signingPair('ES256')
        const jwk = privateKey.export({ format: 'jwk' })
        const refusal = await refusalOf(
          create({ keys: { case: 'jwks', value: JSON.stringify({ keys: [pair.publicJwk, jwk] }) } }),
        )
        expect(refusal.details.badRequest?.fieldViolations).toMatchObject([
          {
            field: 'trusted_issuer.jwks',
            description: 'keys[1] is a secret or private key and is now exposed: replace it, and send public keys only',
          },
        ])
        expect(JSON.stringify([refusal.message, refusal.metadata, refusal.details.badRequest])).not.toContain(jwk.d)
        const logged = JSON.stringify(server.lines)
        expect(logged).not.toContain(jwk.d)
        for (const value of [
          '',
          '{}',
          '[]',
          '{"keys":[]}',
          '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}',
          'null',
          '{"keys":1}',
        ]) {
          expect(await violationsOf(create({ keys: { case: 'jwks', value } }))).not.toEqual([])
        }
        const [none] = await violationsOf(create({ keys: { case: undefined } }))
        expect(none).toBe('trusted_issuer needs one of jwks, jwks_uri and discovery')
        const many = { keys: Array.from({ length: 101 }, () => pair.publicJwk) }
        expect(await violationsOf(create({ keys: { case: 'jwks', value: JSON.stringify(many) } }))).toEqual([
          'trusted_issuer.jwks has more than 100 keys',
        ])
        const huge = `{"keys":[],"x":"${'x'.repeat(66_000)}"}`
        expect(await violationsOf(create({ keys: { case: 'jwks', value: huge } }))).toHaveLength(1)
      })

      it('accepts certificates only for fetched keys, and no private key in them', async () => {
        const keys = { case: 'jwksUri', value: 'https://keys.example/jwks' } as const
        const field = 'trusted_issuer.ca_certificates'
        for (const caCertificates of ['x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----']) {
          const [violation] = await violationsOf(create({ keys, caCertificates }))
          expect(violation).toContain(field)
        }
        const pem = signingPair('ES256').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
        expect(await violationsOf(create({ keys, caCertificates: pem }))).toEqual([
          `${field} must be certificates in PEM, and nothing else`,
        ])
        expect(await violationsOf(create({ caCertificates: 'x' }))).toEqual([
          `${field} is allowed only with jwks_uri or discovery`,
        ])
      })

      it('accepts SPIFFE names only for SPIFFE, and no others for it', async () => {
        const kind = TrustedIssuerKind.SPIFFE
        const domain = `${server.unique('td-')}.example`
        const { alg: _alg, ...jwk } = pair.publicJwk
        const bundle = JSON.stringify({ keys: [{ ...jwk, use: 'jwt-svid' }] })
        const keys = { case: 'jwks', value: bundle } as const
        const spiffe = (more: Wanted) => create({ kind, issuer: `spiffe://${domain}`, rules: [], keys, ...more })
        expect(await violationsOf(create({ issuer: `spiffe://${domain}` }))).toEqual([
          'trusted_issuer.issuer names a SPIFFE trust domain: the kind must be SPIFFE',
        ])
        expect(await violationsOf(create({ trustDomain: domain }))).toEqual([
          'trusted_issuer.trust_domain is allowed only for the kind SPIFFE',
        ])
        expect(await violationsOf(spiffe({ trustDomain: 'other.example' }))).toEqual([
          'trusted_issuer.issuer must be spiffe:// followed by only the trust domain',
        ])
        expect(await violationsOf(spiffe({ issuer: `https://${domain}` }))).toHaveLength(1)
        expect(await violationsOf(spiffe({ issuer: `spiffe://${domain}/workload` }))).toHaveLength(1)
        const [discovered] = await violationsOf(spiffe({ keys: { case: 'discovery', value: true } }))
        expect(discovered).toMatch(/^trusted_issuer.discovery is allowed only for the kind JWT/)
        // The trust domain follows from the name.
        expect(await spiffe({})).toMatchObject({ trustDomain: domain, kind })
      })

      it('accepts rules for missing clients, which may be registered later', async () => {
        const clientId = server.unique('later-')
        const { issuer } = await create({ rules: [rule(clientId)] })
        expect((await refusalOf(exchange(await assertion(issuer)))).reason).toBe('OAUTH_INVALID_GRANT')
        await server.registerClient({ clientId, scopes: ['a'], grantTypes: [GrantType.JWT_BEARER] })
        expect((await exchange(await assertion(issuer)))?.scopes).toEqual(['a'])
      })

      it('refuses tokens and secrets in names and rules, and masks them in free text', async () => {
        const secret = server.unknownToken()
        for (const more of [
          { issuer: `https://${secret}.example` },
          { audience: secret },
          { rules: [rule('some-client', { claims: { sub: secret } })] },
          { rules: [rule('some-client', { claims: { [secret]: 'x' } })] },
          { rules: [rule('some-client', { scopes: [secret] })] },
          { rules: [rule(secret.slice(0, 100))] },
        ]) {
          const refusal = await refusalOf(create(more))
          expect(refusal.reason).toBe('OAUTH_INVALID_REQUEST')
          expect(JSON.stringify([refusal.message, refusal.details.badRequest])).not.toContain(secret)
        }
        expect(await create({ displayName: `CI ${secret}` })).toMatchObject({ displayName: 'CI [redacted]' })
      })
    })

    describe('ListTrustedIssuers and GetTrustedIssuer', () => {
      it('include those of the file, read-only, and page through all in order of names', async () => {
        const before = await create({ issuer: `https://of-file-${server.unique('')}.example` })
        const after = await create({ issuer: `https://of-filf-${server.unique('')}.example` })
        const seen: string[] = []
        let pageToken = ''
        do {
          const page = await server.call(listTrustedIssuers, { pageSize: 2, pageToken }, admin())
          expect(page.trustedIssuers.length).toBeLessThanOrEqual(2)
          seen.push(...page.trustedIssuers.map(({ issuer }) => issuer))
          pageToken = page.nextPageToken
        } while (pageToken !== '')
        expect(seen).toEqual(seen.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
        expect(new Set(seen).size).toBe(seen.length)
        const around = seen.filter((name) => [before.issuer, OF_FILE, after.issuer].includes(name))
        expect(around).toEqual([before.issuer, OF_FILE, after.issuer])
        const found = await get(OF_FILE)
        expect(found).toMatchObject({ issuer: OF_FILE, readOnly: true, etag: '', createdBy: '', owner: '' })
        // Where the server keeps the file is nobody's business.
        expect(found?.keys.case).toBeUndefined()
        expect(found?.rules[0]).toMatchObject({ clientId: 'of-file', scopes: ['a'] })
      })

      it('filter by owner, and refuse the page token of another filter', async () => {
        const owner = server.unique('repo-')
        const names = [await create({ owner }), await create({ owner })].map(({ issuer }) => issuer).toSorted()
        const page = await server.call(listTrustedIssuers, { owner, pageSize: 1 }, admin())
        const rest = await server.call(listTrustedIssuers, { owner, pageToken: page.nextPageToken }, admin())
        expect([...page.trustedIssuers, ...rest.trustedIssuers].map(({ issuer }) => issuer)).toEqual(names)
        const other = server.call(listTrustedIssuers, { pageToken: page.nextPageToken }, admin())
        expect(await violationsOf(other)).toHaveLength(1)
      })

      it('find an issuer only by its exact name', async () => {
        const { issuer } = await create()
        for (const name of [`${issuer}/`, issuer.toUpperCase(), `${issuer} `, 'https://nobody.example']) {
          expect((await refusalOf(get(name))).reason).toBe('RESOURCE_NOT_FOUND')
        }
      })
    })

    describe('UpdateTrustedIssuer', () => {
      it('changes the fields in the mask for the next assertion, and audits the changes', async () => {
        const [one, two] = [await workload(), await workload()]
        const { issuer, etag, createTime } = await create({ rules: [rule(one.clientId)], displayName: 'CI' })
        const next = signingPair('ES256')
        const changed = await update(
          {
            issuer,
            etag,
            displayName: 'ignored',
            keys: { case: 'jwks', value: jwksOf(next) },
            rules: [rule(two.clientId)],
          },
          ['jwks', 'rules'],
        )
        expect(changed).toMatchObject({ displayName: 'CI', createTime, rules: [{ clientId: two.clientId }] })
        expect(changed?.etag).not.toBe(etag)
        expect((await refusalOf(exchange(await assertion(issuer)))).reason).toBe('OAUTH_INVALID_GRANT')
        expect((await exchange(await assertion(issuer, next)))?.scopes).toEqual(['a'])
        const [, event] = await eventsOf(issuer)
        expect(event).toMatchObject({
          eventType: 'trust.issuer_updated',
          metadata: { fields: 'keys rules', clients: two.clientId },
        })
      })

      it('changes the set fields without a mask, and all except the owner with *', async () => {
        const { issuer } = await create({ audience: 'aud', singleUse: true, owner: 'repo', displayName: 'CI' })
        expect(await update({ issuer, audience: 'other' })).toMatchObject({
          audience: 'other',
          singleUse: true,
          displayName: 'CI',
        })
        const all = { issuer, keys: { case: 'jwks' as const, value: jwksOf(pair) } }
        expect(await update(all, ['*'])).toMatchObject({
          audience: '',
          singleUse: false,
          displayName: issuer,
          rules: [],
          owner: 'repo',
        })
        expect(await violationsOf(update({ issuer }, ['*']))).toEqual([
          'update_mask jwks: must be set, because an issuer needs keys',
        ])
      })

      it('refuses fields that are fixed, unknown or another kind of key', async () => {
        const { issuer } = await create()
        const paths = [
          'issuer',
          'kind',
          'trust_domain',
          'etag',
          'read_only',
          'create_time',
          'nonsense',
          '*',
          'jwks_uri',
          'a\nb',
        ]
        expect(await violationsOf(update({ issuer, keys: { case: 'jwks', value: '{}' } }, paths))).toEqual([
          'update_mask issuer: cannot be changed',
          'update_mask kind: cannot be changed',
          'update_mask trust_domain: cannot be changed',
          'update_mask etag: cannot be changed',
          'update_mask read_only: cannot be changed',
          'update_mask create_time: cannot be changed',
          'update_mask nonsense: there is no such field',
          'update_mask *: must be the only path',
          'update_mask jwks_uri: must be set, because an issuer needs keys',
          'update_mask …: there is no such field',
        ])
      })

      it('refuses a stale etag, also after an issuer was deleted and created again', async () => {
        const first = await create()
        await remove(first.issuer, { etag: first.etag })
        const second = await create({ issuer: first.issuer })
        const stale = update({ issuer: first.issuer, etag: first.etag, singleUse: true })
        expect((await refusalOf(stale)).reason).toBe('RESOURCE_CONFLICT')
        expect(await update({ issuer: first.issuer, etag: second.etag, singleUse: true })).toMatchObject({
          singleUse: true,
        })
      })

      it('writes nothing without a change', async () => {
        const created = await create({ rules: [rule('some-client', { claims: { b: '1', a: '2' } })] })
        const { issuer, rules } = created
        expect(
          await update({ issuer, rules, displayName: issuer }, ['rules', 'display_name', 'jwks_uri'].slice(0, 2)),
        ).toEqual(created)
        expect(await eventsOf(issuer)).toHaveLength(1)
      })

      it('accepts one of several concurrent calls with the same etag', async () => {
        const { issuer, etag } = await create()
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, n) => update({ issuer, etag, displayName: `n${n}` })),
        )
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        expect(await eventsOf(issuer)).toHaveLength(2)
      })

      it('concurrent with a delete leaves no issuer', async () => {
        const { issuer } = await create()
        const rename = (displayName: string) => update({ issuer, displayName })
        const outcomes = await Promise.allSettled([
          ...['one', 'two', 'three'].map(rename),
          remove(issuer),
          rename('four'),
        ])
        expect(outcomes[3]?.status).toBe('fulfilled')
        expect((await refusalOf(get(issuer))).reason).toBe('RESOURCE_NOT_FOUND')
        // Events of different writers are only roughly in the order of time.
        const accepted = outcomes.filter(({ status }) => status === 'fulfilled')
        expect((await eventsOf(issuer)).map(({ eventType }) => eventType).sort()).toEqual([
          'trust.issuer_created',
          'trust.issuer_deleted',
          ...accepted.slice(1).map(() => 'trust.issuer_updated'),
        ])
        expect((await refusalOf(update({ issuer, displayName: 'x' }))).reason).toBe('RESOURCE_NOT_FOUND')
      })

      it('moves the keys, with their certificates or without', async () => {
        const { issuer } = await create()
        const moved = await update({ issuer, keys: { case: 'jwksUri', value: 'https://keys.example/a' } }, ['jwks_uri'])
        expect(moved).toMatchObject({ keys: { case: 'jwksUri', value: 'https://keys.example/a' }, caCertificates: '' })
        const back = await update({ issuer, keys: { case: 'jwks', value: jwksOf(pair) } }, ['jwks'])
        expect(back?.keys).toEqual({ case: 'jwks', value: jwksOf(pair) })
        expect(await violationsOf(update({ issuer, caCertificates: 'x' }))).toEqual([
          'trusted_issuer.ca_certificates is allowed only with jwks_uri or discovery',
        ])
      })

      it('removes an owner only with adoption', async () => {
        const { issuer } = await create({ owner: 'one' })
        expect((await refusalOf(update({ issuer, owner: 'two' }))).reason).toBe('RESOURCE_CONFLICT')
        expect(await update({ issuer, owner: 'two' }, undefined, { adopt: true })).toMatchObject({ owner: 'two' })
      })

      it('refuses what CreateTrustedIssuer refuses, and one of the server’s file', async () => {
        const { issuer } = await create()
        expect(await violationsOf(update({ issuer, keys: { case: 'jwks', value: '{}' } }))).toHaveLength(1)
        expect(
          await violationsOf(update({ issuer, rules: [rule('some-client', { scopes: ['qscope:consent'] })] })),
        ).toHaveLength(1)
        expect((await refusalOf(update({ issuer: OF_FILE, singleUse: true }))).reason).toBe('RESOURCE_CONFLICT')
        expect((await refusalOf(remove(OF_FILE))).reason).toBe('RESOURCE_CONFLICT')
      })
    })

    describe('DeleteTrustedIssuer', () => {
      it('applies from the next call on, and keeps tokens', async () => {
        const { clientId } = await workload()
        const { issuer, etag } = await create({ rules: [rule(clientId)] })
        const jwt = await assertion(issuer)
        const token = await exchange(jwt)
        await remove(issuer, { etag })
        expect((await refusalOf(exchange(jwt))).reason).toBe('OAUTH_INVALID_GRANT')
        expect(await server.introspectAll(server.admin.client, [token?.accessToken ?? ''])).toEqual([true])
        expect((await eventsOf(issuer)).map(({ eventType }) => eventType)).toEqual([
          'trust.issuer_created',
          'trust.issuer_deleted',
        ])
        expect((await refusalOf(remove(issuer))).reason).toBe('RESOURCE_NOT_FOUND')
      })
    })

    describe('validate_only', () => {
      it('returns the result or the error, and writes nothing', async () => {
        const { issuer, etag } = await create()
        const before = await dump(database)
        const validateOnly = true
        const planned = wanted()
        const created = await server.call(createTrustedIssuer, { trustedIssuer: planned, validateOnly }, admin())
        expect(created.trustedIssuer).toMatchObject({ issuer: planned.issuer, etag: '' })
        expect(await update({ issuer, singleUse: true }, undefined, { validateOnly })).toMatchObject({
          singleUse: true,
          etag,
        })
        await remove(issuer, { validateOnly })
        const taken = server.call(createTrustedIssuer, { trustedIssuer: wanted({ issuer }), validateOnly }, admin())
        expect((await refusalOf(taken)).reason).toBe('RESOURCE_CONFLICT')
        expect(await dump(database)).toEqual(before)
      })
    })

    describe('a caller that changes issuers', () => {
      it('needs every permission of the clients that the issuer authenticates before or after', async () => {
        const strong = await server.registerClient({ scopes: ['qscope:clients.read', 'qscope:keys.write', 'a'] })
        const weak = await workload()
        const writer = await holderOf('qscope:trust.write')
        const both = await holderOf('qscope:trust.write', 'qscope:clients.read', 'qscope:keys.write')
        const missing = async (call: Promise<unknown>) => {
          const { reason, metadata } = await refusalOf(call)
          expect(reason).toBe('OAUTH_INSUFFICIENT_SCOPE')
          return metadata['required_scopes']
        }
        const needed = 'qscope:clients.read qscope:keys.write'
        expect(await missing(create({ rules: [rule(weak.clientId), rule(strong.clientId)] }, writer))).toBe(needed)
        const { issuer } = await create({ rules: [rule(strong.clientId)] }, both)
        // Before: to take the keys or the rule away from the strong client; after: to give it to it.
        expect(
          await missing(update({ issuer, keys: { case: 'jwks', value: jwksOf(pair) } }, undefined, {}, writer)),
        ).toBe(needed)
        expect(await missing(update({ issuer, rules: [rule(weak.clientId)] }, undefined, {}, writer))).toBe(needed)
        expect(await missing(update({ issuer, rules: [] }, ['rules'], { validateOnly: true }, writer))).toBe(needed)
        expect(await missing(remove(issuer, {}, writer))).toBe(needed)
        const own = await create({ rules: [rule(weak.clientId)] }, writer)
        expect(
          await missing(update({ issuer: own.issuer, rules: [rule(strong.clientId)] }, undefined, {}, writer)),
        ).toBe(needed)
        await update({ issuer, rules: [rule(weak.clientId)] }, undefined, {}, both)
        await remove(issuer, {}, writer)
      })

      it.each(['rules', 'federated_identities'])('is checked again in the writing transaction, for %s', async (by) => {
        const { issuer } = await create({ rules: [rule('some-client')] })
        const { clientId } = by === 'rules' ? await workload(['a']) : await federatedBy(issuer, ['a'])
        const { app } = server
        const grant = (scopes: string[]) =>
          server.call(ClientService.method.updateClient, { client: { clientId, scopes } }, admin())
        // The permission is granted after the flow has judged, and before its transaction begins.
        const backend = {
          reads: app.backend.reads,
          append: app.backend.append.bind(app.backend),
          transaction: async <T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>) => {
            await grant(['a', 'qscope:keys.read'])
            return await app.backend.transaction(ctx, work)
          },
        }
        const runner = new FlowRunner(backend, app.services)
        const caller: Caller = {
          kind: 'bearer',
          clientId: toClientId('writer'),
          tokenId: toTokenId('01890000-0000-7000-8000-000000000000'),
          permissions: new Set(['qscope:trust.write']),
        }
        const ctx = { ...backgroundCall('test', backgroundContext('ray', quiet)), caller }
        const rules = [
          { claims: [], condition: 'true', clientId, scopes: ['a'], scopesExpression: null, tokenClaims: {} },
        ]
        const keySource = { kind: 'inline', jwks: jwksOf(signingPair('ES256')) } as const
        const changing = { issuer, changes: by === 'rules' ? { rules } : { keySource }, etag: null, adopt: false }
        const before = await get(issuer)
        expect(await runner.execute(changeIssuer, ctx, changing)).toMatchObject({
          ok: false,
          code: 'oauth.insufficient_scope',
          details: { metadata: { required_scopes: 'qscope:keys.read' } },
        })
        expect(await get(issuer)).toEqual(before)
        await grant(['a'])
        const judged = new FlowRunner(app.backend, app.services)
        expect(await judged.execute(changeIssuer, ctx, changing)).toMatchObject({ ok: true })
      })

      it('needs trust.write, and trust.read to read', async () => {
        const others = await holderOf(...PERMISSIONS.filter((each) => !each.startsWith('qscope:trust.')))
        const { issuer } = await create()
        const reading = await holderOf('qscope:trust.read')
        expect((await server.call(getTrustedIssuer, { issuer }, reading)).trustedIssuer?.issuer).toBe(issuer)
        for (const call of [
          server.call(getTrustedIssuer, { issuer }, others),
          server.call(listTrustedIssuers, {}, others),
          create({}, others),
          create({}, reading),
          remove(issuer, {}, reading),
        ]) {
          expect((await refusalOf(call)).reason).toBe('OAUTH_INSUFFICIENT_SCOPE')
        }
      })
    })
  },
  { variables: { QSCOPE_TRUSTED_ISSUERS_FILE: file } },
)

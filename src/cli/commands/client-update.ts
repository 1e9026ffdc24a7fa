import { Command } from 'commander'
import { ClientConfigSchema } from '../../gen/qscope/v1/client_pb.ts'
import { ClientService, UpdateClientResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import type { Calls } from '../connection/calls.ts'
import { withCalls } from '../connection/session.ts'
import { omitUndefined, repeated, repeatedChoice, UsageError, withConnection } from '../options/options.ts'
import { messageJson } from '../output/output.ts'
import { clientView } from '../views/client.ts'
import { type ClientFieldOptions, configOf, withClientFields, withDryRun } from './client-registration.ts'

/** The fields that `--unset` accepts: those with a default, and lists, which are emptied. */
const LISTS = ['grant_types', 'redirect_uris', 'scopes', 'audiences', 'resource_audiences'] as const
const KEYS = ['jwks', 'jwks_uri', 'federated_identities'] as const
const UNSETTABLE = ['display_name', ...LISTS, ...KEYS, ...ClientConfigSchema.fields.map(({ name }) => `config.${name}`)]

interface UpdateOptions extends ClientFieldOptions {
  readonly addScope?: string[]
  readonly removeScope?: string[]
  readonly unset?: string[]
  readonly etag?: string
}

export function clientUpdateCommand(): Command {
  return withClientFields(withDryRun(withConnection(new Command('update'))))
    .description('change the given fields of a client; a list replaces the stored list')
    .argument('<client-id>')
    .addOption(repeated('--add-scope <scope>', 'scope to add').conflicts('scope'))
    .addOption(repeated('--remove-scope <scope>', 'scope to remove').conflicts('scope'))
    .addOption(
      repeatedChoice('--unset <field>', 'reset a field (see below) to its default, or empty a list', UNSETTABLE),
    )
    .option('--etag <etag>', 'change the client only if it still has this etag')
    .addHelpText('after', `\nFields of --unset:\n${UNSETTABLE.map((field) => `  ${field}`).join('\n')}`)
    .action(async (clientId: string, options: UpdateOptions) => {
      const given = changesIn(options)
      if (given.paths.length === 0 && !editsScopes(options)) throw new UsageError('give at least one option to change')
      await withCalls(options, async (calls, output) => {
        const edited = editsScopes(options) ? await editedScopes(calls, clientId, options) : null
        const answer = await calls.call(ClientService.method.updateClient, {
          client: { clientId, ...given.fields, ...(edited !== null && { scopes: edited.scopes }) },
          updateMask: { paths: [...given.paths, ...(edited === null ? [] : ['scopes'])] },
          etag: options.etag ?? edited?.etag ?? '',
          validateOnly: options.dryRun ?? false,
        })
        output.object(clientView, answer.client, () => messageJson(UpdateClientResponseSchema, answer))
      })
    })
}

/** The new values, and their update mask paths. */
function changesIn(options: UpdateOptions) {
  const fields = omitUndefined({
    displayName: options.name,
    authenticationMethod: options.authenticationMethod,
    jwks: options.jwks,
    jwksUri: options.jwksUri,
    federatedIdentities: options.federatedIdentity,
    tlsClientSubject: options.tlsClientSubject,
    grantTypes: options.grant,
    redirectUris: options.redirectUri,
    scopes: options.scope,
    audiences: options.audience,
    resourceAudiences: options.resourceAudience,
  })
  const config = configOf(options)
  const set = [...pathsOf(fields), ...pathsOf(config).map((path) => `config.${path}`)]
  const both = options.unset?.find((path) => set.includes(path))
  if (both !== undefined) throw new UsageError(`${both} is both set and unset`)
  return { fields: { ...fields, config }, paths: [...set, ...(options.unset ?? [])] }
}

function pathsOf(fields: object): readonly string[] {
  return Object.keys(fields).map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
}

function editsScopes({ addScope, removeScope }: UpdateOptions): boolean {
  return addScope !== undefined || removeScope !== undefined
}

/** Edits the client's current scopes, with its etag, so that no concurrent change is lost. */
async function editedScopes(calls: Calls, clientId: string, { addScope = [], removeScope = [] }: UpdateOptions) {
  const { client } = await calls.call(ClientService.method.getClient, { clientId })
  if (client === undefined) throw new Error('the answer of the server contains no client')
  const scopes = [...new Set([...client.scopes, ...addScope])].filter((scope) => !removeScope.includes(scope))
  return { scopes, etag: client.etag }
}

import { connect } from '../../test/setup/client.ts'
import { adminToken, type ClientCredentials, registerClient } from '../server/credentials.ts'
import { type ServerSettings, serverVariables, startQScope } from '../server/qscope-server.ts'
import { mustRunQScope } from '../server/run-command.ts'
import { AUDIENCE, OWNER_PREFIX, OWNERS, SCOPES } from './token-columns.ts'

const ADMIN_ID = 'bench-admin'
const CALLER_ID = 'bench-resource-server'

/** Creates the schema and the clients with the command line and the API, like an operator. */
export async function setUpClients(settings: ServerSettings): Promise<{
  readonly admin: ClientCredentials
  readonly caller: ClientCredentials
}> {
  const variables = serverVariables(settings)
  await mustRunQScope(settings.entry, ['migrate', 'up'], variables)
  const printed = await mustRunQScope(
    settings.entry,
    ['client', 'create', '--local', '--admin', '--id', ADMIN_ID, '--json'],
    variables,
  )
  // The command's documented output.
  const { clientSecret } = JSON.parse(printed) as { readonly clientSecret: string }
  const admin = { clientId: ADMIN_ID, clientSecret }
  const server = await startQScope(settings)
  const connection = connect(`127.0.0.1:${server.port}`)
  try {
    const bearer = await adminToken(connection, admin)
    const scopes = SCOPES.split(' ')
    const caller = await registerClient(connection, bearer, {
      clientId: CALLER_ID,
      resourceAudiences: [AUDIENCE],
      scopes,
    })
    for (let n = 0; n < OWNERS; n += 1) {
      await registerClient(connection, bearer, { clientId: `${OWNER_PREFIX}${n}`, scopes, audiences: [AUDIENCE] })
    }
    return { admin, caller }
  } finally {
    connection.close()
    await server.stop()
  }
}

/** Writes, past the server and by SQLite alone, more rows than a test has time to make by calls. */

type Query = (sql: string) => Promise<Record<string, unknown>[]>

/** The id of the nth of many clients, from 1 on. */
export function manyClientId(n: number): string {
  return `many-${String(n).padStart(6, '0')}`
}

const CLIENT_ID_OF = (n: string) => `'many-' || printf('%06d', ${n})`

/** So many clients like the administrator, without secrets. */
export async function insertClients(query: Query, count: number): Promise<void> {
  const client_id = CLIENT_ID_OF('n')
  const administrator = "client_id = 'admin'"
  const clients = { client_id, display_name: "'One of many'", scopes: "'stock.read'" }
  await copyRow(query, 'oauth_clients', administrator, count, clients)
  await copyRow(query, 'oauth_client_configs', administrator, count, { client_id })
  // Each client answers for its own id.
  await copyRow(query, 'oauth_client_resource_audiences', administrator, count, { client_id, audience: client_id })
}

/** So many events about these clients in turn, older than those of the server. They are not sealed, for nobody verifies them. */
export async function insertEvents(query: Query, count: number, clients: number): Promise<void> {
  const [first] = await query('select event_id from oauth_audit_log limit 1')
  await copyRow(query, 'oauth_audit_log', `event_id = '${first?.['event_id']}'`, count, {
    event_id: "'01900000-0000-7000-8000-' || printf('%012x', n)",
    writer_id: "'many'",
    sequence: 'n',
    event_type: "'client.updated'",
    client_id: CLIENT_ID_OF(`n % ${clients}`),
    created_at: `created_at - ${count} + n`,
  })
}

/** Repeats one row of a table, with other values in some columns: expressions of `n`, which counts from 1. */
async function copyRow(
  query: Query,
  table: string,
  where: string,
  count: number,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const columns = (await query(`select name from pragma_table_info('${table}')`)).map(({ name }) => String(name))
  await query(`with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count})
    insert into ${table} (${columns.join(', ')})
    select ${columns.map((column) => values[column] ?? column).join(', ')}
    from numbers, (select * from ${table} where ${where})`)
}

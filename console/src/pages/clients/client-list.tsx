import { useState } from 'preact/hooks'
import { type Client, ClientType } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { Badge, Time } from '../../components/facts.tsx'
import { SelectField, TextField } from '../../components/field.tsx'
import { Lock } from '../../components/permitted.tsx'
import { type Column, VirtualTable } from '../../components/virtual-table.tsx'
import { useSession } from '../../hooks/session.ts'
import { useDebounced } from '../../hooks/use-debounced.ts'
import { usePages } from '../../hooks/use-pages.ts'
import { linkTo } from '../../route.ts'
import { CLIENT_TYPES } from './labels.ts'

const PAGE_SIZE = 200

const COLUMNS: readonly Column<Client>[] = [
  {
    title: 'Client id',
    grow: 2,
    cell: ({ clientId }) => (
      <a href={linkTo('clients', clientId)}>
        <code>{clientId}</code>
      </a>
    ),
  },
  { title: 'Name', grow: 2, optional: true, cell: ({ displayName }) => displayName },
  { title: 'Type', optional: true, cell: ({ type }) => CLIENT_TYPES[type] },
  {
    title: 'State',
    cell: ({ enabled }) => <Badge tone={enabled ? 'good' : 'bad'}>{enabled ? 'enabled' : 'disabled'}</Badge>,
  },
  { title: 'Changed', grow: 1.4, optional: true, cell: ({ updateTime }) => <Time of={updateTime} /> },
]

const STATES = [
  ['', 'all'],
  ['true', 'enabled'],
  ['false', 'disabled'],
] as const
const TYPES = [
  [String(ClientType.UNSPECIFIED), 'all'],
  [String(ClientType.CONFIDENTIAL), CLIENT_TYPES[ClientType.CONFIDENTIAL]],
  [String(ClientType.PUBLIC), CLIENT_TYPES[ClientType.PUBLIC]],
] as const

export function ClientList() {
  const { api } = useSession()
  const [prefix, setPrefix] = useState('')
  const [state, setState] = useState('')
  const [type, setType] = useState(String(ClientType.UNSPECIFIED))
  const clientIdPrefix = useDebounced(prefix.trim())
  const pages = usePages(
    async (pageToken, signal) => {
      const enabled = state === '' ? {} : { enabled: state === 'true' }
      const filter = { ...enabled, clientIdPrefix, type: Number(type) as ClientType }
      const answer = await api.clients.listClients({ ...filter, pageSize: PAGE_SIZE, pageToken }, { signal })
      return { items: answer.clients, nextPageToken: answer.nextPageToken }
    },
    [api, clientIdPrefix, state, type],
  )
  return (
    <>
      <div class="filters">
        <TextField label="Client id begins with" type="search" value={prefix} onInput={setPrefix} />
        <SelectField label="State" value={state} onChange={setState} options={STATES} />
        <SelectField label="Type" value={type} onChange={setType} options={TYPES} />
        <a class="button" href={linkTo('register-client')}>
          Register a client
          <Lock permission="qscope:clients.write" />
        </a>
      </div>
      <VirtualTable
        label="Clients"
        columns={COLUMNS}
        pages={pages}
        keyOf={({ clientId }) => clientId}
        empty="No client matches."
      />
    </>
  )
}

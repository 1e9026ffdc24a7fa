/** What can carry the calls of gRPC; every suite runs on the first. */
export const TRANSPORTS = ['native', 'grpc-js'] as const

export type TransportName = (typeof TRANSPORTS)[number]

/** The suites that say what a transport must do: they run on all. */
export const TRANSPORT_SUITES: readonly string[] = [
  'test/transports/grpc/**/*',
  'test/rpc/ext-authz/**/*',
  'test/attacks/raw-port.storm',
  'test/attacks/floods.storm',
]

/** Whole servers and other people's clients: they run on the others where `QSCOPE_TEST_TRANSPORTS` names them. */
const SUITES_OF_SERVERS: readonly string[] = [
  'test/e2e/**/*',
  'test/interop/**/*',
  'test/attacks/beside-honest-calls.storm',
]

/** Which suites run on a transport beside the first. */
export function suitesOn(transport: TransportName): readonly string[] {
  const asked: readonly string[] = process.env['QSCOPE_TEST_TRANSPORTS']?.split(',') ?? []
  const unknown = asked.filter((name) => !TRANSPORTS.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`QSCOPE_TEST_TRANSPORTS names ${unknown.join()}; known: ${TRANSPORTS.join()}`)
  return asked.includes(transport) ? [...TRANSPORT_SUITES, ...SUITES_OF_SERVERS] : TRANSPORT_SUITES
}

/** The transport that this run of a suite is about. */
export function testedTransportName(): TransportName {
  const wanted = process.env['QSCOPE_GRPC_TRANSPORT'] ?? TRANSPORTS[0]
  const found = TRANSPORTS.find((name) => name === wanted)
  if (found === undefined) throw new Error(`QSCOPE_GRPC_TRANSPORT should be one of ${TRANSPORTS.join(', ')}`)
  return found
}

/** What a server in a process of its own is told of it: nothing where it is the default. */
export function transportVariables(): Readonly<Record<string, string>> {
  const name = testedTransportName()
  return name === TRANSPORTS[0] ? {} : { QSCOPE_GRPC_TRANSPORT: name }
}

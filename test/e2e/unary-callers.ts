import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials, status } from '@grpc/grpc-js'
import { watched } from './process.ts'

/** The number of calls by status and text: `OK`, or `UNAVAILABLE: …`. */
export type Ends = Readonly<Record<string, number>>

/** Calls repeatedly on several connections until it is stopped. */
export interface UnaryCaller {
  stop(): Promise<Ends>
}

export interface WhatToCall {
  readonly address: string
  /** The path of the method, such as `/qscope.v1.TokenService/IntrospectToken`. */
  readonly path: string
  readonly request: Uint8Array
  readonly connections: number
  /** The number of concurrent calls on each connection. */
  readonly inFlight: number
}

/** A program that calls until its standard input ends, and then prints the results. */
function asProgram(program: string, args: readonly string[]): UnaryCaller {
  const running = watched(spawn(program, args))
  return {
    stop: async () => {
      running.child.stdin.end()
      const { code } = await running.ended
      if (code !== 0) throw new Error(`${program} failed:\n${running.stderr}`)
      return JSON.parse(running.stdout)
    },
  }
}

export function callWithGo(program: string, { address, path, request, connections, inFlight }: WhatToCall) {
  const what = ['-address', address, '-method', path, '-request', Buffer.from(request).toString('hex')]
  return asProgram(program, [...what, '-connections', `${connections}`, '-in-flight', `${inFlight}`])
}

/** `libraries`: the folder of the libraries of grpc-java. */
export function callWithJava(libraries: string, { address, path, request, connections, inFlight }: WhatToCall) {
  const source = join(import.meta.dirname, 'callers', 'Caller.java')
  const what = [address, path.slice(1), Buffer.from(request).toString('hex')]
  const jvm = ['-XX:+UseSerialGC', '-cp', join(libraries, '*')]
  return asProgram('java', [...jvm, source, ...what, `${connections}`, `${inFlight}`])
}

export function callWithGrpcJs({ address, path, request, connections, inFlight }: WhatToCall): UnaryCaller {
  const ends: Record<string, number> = {}
  let stopping = false
  const bytes = Buffer.from(request)
  const once = (client: Client) =>
    new Promise<string>((resolve) => {
      client.makeUnaryRequest(
        path,
        (message: Buffer) => message,
        (message: Buffer) => message,
        bytes,
        { deadline: Date.now() + 30_000 },
        (error) => resolve(error === null ? 'OK' : `${status[error.code]}: ${error.details}`),
      )
    })
  const clients = Array.from(
    { length: connections },
    () =>
      new Client(address, credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
      }),
  )
  const callers = clients.flatMap((client) =>
    Array.from({ length: inFlight }, async () => {
      while (!stopping) {
        const end = await once(client)
        ends[end] = (ends[end] ?? 0) + 1
        // While no server is reachable, calls fail at once.
        if (end !== 'OK') await sleep(10)
      }
    }),
  )
  return {
    stop: async () => {
      stopping = true
      await Promise.all(callers)
      for (const client of clients) client.close()
      return ends
    },
  }
}

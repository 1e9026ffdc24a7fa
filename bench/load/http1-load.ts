import { Agent, request } from 'node:http'
import type { Http1Job, LoadResult } from './job.ts'
import { Tally } from './tally.ts'

/** The same for HTTP/1.1 with keep-alive connections. */
export async function runHttp1Load(job: Http1Job, begun: () => void): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.inFlight })
  let used = 0
  const post = () => {
    used += 1
    return postForm(job, agent, job.bodies[used % job.bodies.length] ?? '')
  }
  begun()
  const tally = new Tally(job.durationMs)
  const lane = async () => {
    while (tally.isOpen) {
      const from = performance.now()
      tally.note(from, await post())
    }
  }
  await Promise.all(Array.from({ length: job.inFlight }, lane))
  agent.destroy()
  return tally.close()
}

/** The problem of the answer. `null`: none. */
function postForm({ port, path, authorization, contains }: Http1Job, agent: Agent, body: string) {
  const headers = {
    authorization,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
  }
  return new Promise<string | null>((resolve) => {
    const sent = request({ agent, host: '127.0.0.1', port, path, method: 'POST', headers }, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => {
        if (response.statusCode !== 200) resolve(`HTTP_${response.statusCode}`)
        else resolve(text.includes(contains) ? null : 'WRONG_ANSWER')
      })
    })
    sent.on('error', (error) => resolve(error.message))
    sent.end(body)
  })
}

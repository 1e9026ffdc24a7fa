import { type Endpoint, textAnswer } from '../endpoint.ts'

/** The process lives and answers, whatever the database does: whoever restarts it for less makes an outage worse. */
export const healthEndpoint: Endpoint = Object.freeze({ path: '/healthz', answer: () => textAnswer(200, 'ok') })

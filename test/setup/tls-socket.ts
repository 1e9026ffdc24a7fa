import { type ConnectionOptions, connect } from 'node:tls'

/** Whether a server resumes the session of a first connection on a second one. */
export function resumesSessions(address: string, options: ConnectionOptions): Promise<boolean> {
  const [host = '', port = ''] = address.split(':')
  const open = (more: ConnectionOptions) =>
    connect({ host, port: Number(port), ALPNProtocols: ['h2'], ...options, ...more })
  return new Promise((resolve, reject) => {
    const first = open({})
    let session: Buffer | undefined
    first.once('error', reject).on('session', (offered: Buffer) => {
      session = offered
    })
    // The server has sent data, so its session tickets have arrived.
    first.once('data', () => {
      first.destroy()
      const second = open(session === undefined ? {} : { session })
      second.once('error', reject).once('secureConnect', () => {
        resolve(second.isSessionReused())
        second.destroy()
      })
    })
  })
}

/** The fingerprint of the certificate that a server presents to a new connection. Throws if the handshake fails. */
export function certificateShownAt(address: string, options: ConnectionOptions): Promise<string> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ALPNProtocols: ['h2'], ...options }, () => {
      const { fingerprint256 } = socket.getPeerCertificate()
      socket.destroy()
      resolve(fingerprint256)
    })
    socket.once('error', reject)
  })
}

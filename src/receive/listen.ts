import type { AddressInfo, Server } from 'node:net'
import { SluiceError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { type Address, addressText } from '../base/units.ts'

/**
 * Starts to listen. Errors of the listener that come later are logged and end nothing.
 *
 * @param reusePort other threads listen on the same port
 * @returns the port
 * @throws LISTEN_FAILED
 */
export function listen(
  server: Server,
  { host, port }: Address,
  reusePort: boolean,
  log: Logger,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException) => reject(listenFailed({ host, port }, cause))
    server.once('error', onError)
    server.listen({ port, reusePort, ...(host === '' ? {} : { host }) }, () => {
      server.off('error', onError)
      server.on('error', (error) => log.error('a listener failed', { port, error }))
      resolve((server.address() as AddressInfo).port)
    })
  })
}

const REMEDIES: Record<string, string> = {
  EADDRINUSE: 'another process listens there: stop it, or choose another port under "listen"',
  EADDRNOTAVAIL: 'this machine has no such address: choose another one under "listen"',
  ENOTFOUND: 'the host name is unknown: choose another one under "listen"',
  EACCES: 'ports below 1024 need a privilege: choose a higher one under "listen"',
}

function listenFailed(address: Address, cause: NodeJS.ErrnoException): SluiceError {
  const remedy = REMEDIES[cause.code ?? ''] ?? 'choose another address under "listen"'
  const message = `cannot listen on ${addressText(address)} (${cause.code}): ${remedy}`
  return new SluiceError('LISTEN_FAILED', message, { cause })
}

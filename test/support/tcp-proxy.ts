import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What a connection through the proxy meets. */
export type Way =
  /** Nothing: every byte arrives. */
  | 'open'
  /** A partition: what is sent is never heard of, and nobody is told. New ones are taken, too. */
  | 'silent'
  /** A connection that is reset after so many bytes from the client. */
  | { resetAfterBytes: number }

/** A line in user space that can be cut, between a gateway and its receiver. */
export type TcpProxy = {
  port: number
  /** Of those that begin from now on, and of those that there are. */
  way: Way
  /** Connections so far. */
  connections: number
  /** Connections that the client has not closed. */
  readonly open: number
  close(): Promise<void>
}

export async function startTcpProxy(targetPort: () => number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const clients = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    proxy.connections += 1
    const target = connect({ port: targetPort(), host: '127.0.0.1', allowHalfOpen: true })
    let bytes = 0
    clients.add(client)
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        if (from === client) bytes += chunk.length
        if (proxy.way === 'silent') return
        if (proxy.way !== 'open' && bytes > proxy.way.resetAfterBytes) {
          client.resetAndDestroy()
          target.destroy()
          return
        }
        to.write(chunk)
      })
      from.on('end', () => {
        clients.delete(from)
        if (proxy.way !== 'silent') to.end()
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        clients.delete(from)
        if (proxy.way !== 'silent') to.destroy()
      })
    }
  })
  const proxy: TcpProxy = {
    port: 0,
    way: 'open',
    connections: 0,
    get open() {
      return clients.size
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.port = (server.address() as AddressInfo).port
  return proxy
}

/** The same address, through the proxy. */
export function through({ port }: TcpProxy, url: string): string {
  const address = new URL(url)
  address.port = String(port)
  return address.href
}

import type { LookupFunction, Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { buildConnector, Client, Pool } from 'undici'
import type { Clock } from '../base/clock.ts'
import { Secret, type SecretSource } from '../base/secret-file.ts'
import { lookupWithMemory } from './addresses.ts'

/** How a receiver is known to be the one that is meant, and how we show who we are. */
export type TlsSettings = {
  readonly ca: SecretSource | null
  readonly certificate: SecretSource | null
  readonly key: SecretSource | null
  /** The name on the receiver's certificate, if it is not that of the URL. */
  readonly serverName: string | null
  readonly isVerified: boolean
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3' | null
}

const CONNECT_TIMEOUT_MS = 5_000
/** A name server may take so long for a name of which it has told the address before. */
const LOOKUP_PATIENCE_MS = 2_000

export type ConnectionsParts = {
  origin: string
  timeoutMs: number
  /** Age at which a connection is not used again. */
  ageMsMax: number
  tls: TlsSettings | null
  clock: Clock
  /** The system's own when absent. */
  lookup?: LookupFunction | undefined
}

type Connector = buildConnector.connector

/**
 * The connections to one receiver. Certificates are looked at every few seconds, and when they
 * have changed, new connections use the new ones. The name is looked up for each connection.
 *
 * A class, because it holds connections.
 */
export class Connections {
  readonly #parts: ConnectionsParts
  readonly #files: { [name in 'ca' | 'cert' | 'key']: Secret | null }
  readonly #lookup: LookupFunction
  #connect: Connector
  #pool: Pool | undefined
  #content = ''
  /** Errors of connections on which the receiver has said something. */
  readonly #onUsed = new WeakSet<Error>()

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
    const { tls, clock } = parts
    const secret = (source: SecretSource | null = null) =>
      source === null ? null : new Secret(source, clock)
    this.#files = { ca: secret(tls?.ca), cert: secret(tls?.certificate), key: secret(tls?.key) }
    const patienceMs = Math.min(LOOKUP_PATIENCE_MS, parts.timeoutMs / 4)
    this.#lookup = lookupWithMemory(clock, patienceMs, parts.lookup)
    this.#connect = this.#connector({})
    if (tls === null) this.#pool = this.#newPool()
  }

  /** Rejects when a certificate cannot be read. */
  current(): Pool | Promise<Pool> {
    return this.#parts.tls === null ? this.#pool! : this.#renewed(this.#parts.tls)
  }

  /** A connection that nobody has used; whoever takes it closes it. */
  fresh(): Client {
    return new Client(this.#parts.origin, { ...this.#timeouts(), connect: this.#connect })
  }

  /** Whether the connection was given up by the receiver between two requests, or so it seems. */
  wasUsed(error: unknown): boolean {
    return error instanceof Error && this.#onUsed.has(error)
  }

  /** Nothing was heard on these: what is sent from now on goes another way. */
  distrust(pool: Pool): void {
    if (pool !== this.#pool) return
    this.#pool = this.#newPool()
    void pool.close()
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#pool?.close()
  }

  async #renewed(tls: TlsSettings): Promise<Pool> {
    const { ca, cert, key } = this.#files
    const texts = await Promise.all([ca?.text(), cert?.text(), key?.text()])
    const content = JSON.stringify(texts)
    const old = this.#pool
    if (old !== undefined && content === this.#content) return old
    const [caText, certText, keyText] = texts
    const files = {
      ...(caText !== undefined && { ca: caText }),
      ...(certText !== undefined && { cert: certText }),
      ...(keyText !== undefined && { key: keyText }),
    }
    // Between two files that are exchanged one after the other, what there is goes on.
    if (old !== undefined && !isUsable(files)) return old
    this.#connect = this.#connector({
      ...files,
      ...(tls.serverName !== null && { servername: tls.serverName }),
      ...(tls.minVersion !== null && { minVersion: tls.minVersion }),
      rejectUnauthorized: tls.isVerified,
    })
    this.#content = content
    this.#pool = this.#newPool()
    // Requests that are under way end on the old connections.
    void old?.close()
    return this.#pool
  }

  #timeouts() {
    const { timeoutMs } = this.#parts
    return { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
  }

  #newPool(): Pool {
    const { origin, ageMsMax } = this.#parts
    return new Pool(origin, { ...this.#timeouts(), clientTtl: ageMsMax, connect: this.#connect })
  }

  #connector(tls: object): Connector {
    const timeout = Math.min(CONNECT_TIMEOUT_MS, this.#parts.timeoutMs)
    // A session that is resumed would not look at the certificate again.
    const options = { ...tls, timeout, lookup: this.#lookup, maxCachedSessions: 0 }
    const connect = buildConnector(options as buildConnector.BuildOptions)
    return (target, callback) => {
      connect(target, (error, socket) => {
        if (error !== null) callback(error, null)
        else callback(null, this.#watched(socket))
      })
    }
  }

  #watched<S extends Socket>(socket: S): S {
    const bytesBefore = socket.bytesRead
    return socket.prependListener('error', (error: Error) => {
      if (socket.bytesRead > bytesBefore) this.#onUsed.add(error)
    })
  }
}

function isUsable(files: object): boolean {
  try {
    createSecureContext(files)
    return true
  } catch {
    return false
  }
}

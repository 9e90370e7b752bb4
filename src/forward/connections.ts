import { Pool } from 'undici'
import type { Clock } from '../base/clock.ts'
import { Secret, type SecretSource } from '../base/secret-file.ts'

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

export type ConnectionsParts = {
  origin: string
  timeoutMs: number
  /** Age at which a connection is not used again. */
  ageMsMax: number
  tls: TlsSettings | null
  clock: Clock
}

/**
 * The connections to one receiver. Certificates are looked at every few seconds, and when they
 * have changed, new connections use the new ones.
 *
 * A class, because it holds connections.
 */
export class Connections {
  readonly #parts: ConnectionsParts
  readonly #files: { [name in 'ca' | 'cert' | 'key']: Secret | null }
  #pool: Pool | undefined
  #content = ''

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
    const { tls, clock } = parts
    const secret = (source: SecretSource | null = null) =>
      source === null ? null : new Secret(source, clock)
    this.#files = { ca: secret(tls?.ca), cert: secret(tls?.certificate), key: secret(tls?.key) }
    if (tls === null) this.#pool = this.#poolWith({})
  }

  /** Rejects when a certificate cannot be read. */
  current(): Pool | Promise<Pool> {
    return this.#parts.tls === null ? this.#pool! : this.#renewed(this.#parts.tls)
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#pool?.close()
  }

  async #renewed(tls: TlsSettings): Promise<Pool> {
    const { ca, cert, key } = this.#files
    const texts = await Promise.all([ca?.text(), cert?.text(), key?.text()])
    const content = JSON.stringify(texts)
    if (this.#pool !== undefined && content === this.#content) return this.#pool
    const old = this.#pool
    const [caText, certText, keyText] = texts
    this.#pool = this.#poolWith({
      ...(caText !== undefined && { ca: caText }),
      ...(certText !== undefined && { cert: certText }),
      ...(keyText !== undefined && { key: keyText }),
      ...(tls.serverName !== null && { servername: tls.serverName }),
      ...(tls.minVersion !== null && { minVersion: tls.minVersion }),
      rejectUnauthorized: tls.isVerified,
    })
    this.#content = content
    // Requests that are under way end on the old connections.
    void old?.close()
    return this.#pool
  }

  #poolWith(tls: object): Pool {
    const { origin, timeoutMs, ageMsMax } = this.#parts
    return new Pool(origin, {
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      clientTtl: ageMsMax,
      connect: { ...tls, timeout: Math.min(CONNECT_TIMEOUT_MS, timeoutMs) },
    })
  }
}

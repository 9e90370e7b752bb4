import { request } from 'undici'
import type { Clock } from '../base/clock.ts'
import { Secret, type SecretSource } from '../base/secret-file.ts'

export type OAuth2Settings = {
  readonly clientId: string
  readonly clientSecret: SecretSource
  readonly tokenUrl: string
  readonly scopes: readonly string[]
  /** Further fields of the request for a token. */
  readonly params: Readonly<Record<string, string>>
}

const TIMEOUT_MS = 10_000
/** A token is exchanged so long before it expires: it has to survive the way. */
const MARGIN_MS = 10_000
/** Of a token whose issuer does not say how long it is good. */
const LIFETIME_MS = 5 * 60_000
const ANSWER_BYTES_MAX = 1024 * 1024

/**
 * Tokens by the client credentials grant (RFC 6749, 4.4), one for all requests.
 *
 * A class, because the token is kept until it expires or is refused.
 */
export class TokenSource {
  readonly #settings: OAuth2Settings
  readonly #clock: Clock
  readonly #secret: Secret
  #token: Promise<string> | undefined
  #expiresMs = Number.POSITIVE_INFINITY

  constructor(settings: OAuth2Settings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#secret = new Secret(settings.clientSecret, clock)
  }

  /** Rejects with a reason that names the token's URL; the next call asks again. */
  token(): Promise<string> {
    if (this.#clock.monotonicMs() >= this.#expiresMs) this.forget()
    this.#token ??= this.#fetch().catch((error: unknown) => {
      this.forget()
      throw error
    })
    return this.#token
  }

  forget(): void {
    this.#token = undefined
    this.#expiresMs = Number.POSITIVE_INFINITY
  }

  async #fetch(): Promise<string> {
    const { clientId, tokenUrl, scopes, params } = this.#settings
    const secret = await this.#secret.text()
    const fields = new URLSearchParams({ grant_type: 'client_credentials', ...params })
    if (scopes.length > 0) fields.set('scope', scopes.join(' '))
    // In the header first, as RFC 6749 wants it; some issuers know the fields alone.
    let answer = await post(tokenUrl, fields, { authorization: clientHeader(clientId, secret) })
    if (answer.status === 400 || answer.status === 401) {
      fields.set('client_id', clientId)
      fields.set('client_secret', secret)
      answer = await post(tokenUrl, fields, {})
    }
    const { access_token: token, expires_in: seconds } = answer.fields
    if (answer.status !== 200 || typeof token !== 'string') {
      throw new Error(`no token from ${tokenUrl}: HTTP ${answer.status}`)
    }
    const lifetimeMs = Number(seconds) > 0 ? Number(seconds) * 1000 : LIFETIME_MS
    this.#expiresMs = this.#clock.monotonicMs() + Math.max(lifetimeMs - MARGIN_MS, lifetimeMs / 2)
    return token
  }
}

type Answer = { status: number; fields: Record<string, unknown> }

async function post(
  url: string,
  fields: URLSearchParams,
  headers: Record<string, string>,
): Promise<Answer> {
  try {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: fields.toString(),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of body) {
      bytes += chunk.length
      if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too long')
      chunks.push(chunk)
    }
    return { status: statusCode, fields: fieldsOf(Buffer.concat(chunks).toString('utf8')) }
  } catch (cause) {
    throw new Error(`no token from ${url}: ${(cause as Error).message}`, { cause })
  }
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const fields: unknown = JSON.parse(text)
    return typeof fields === 'object' && fields !== null ? { ...fields } : {}
  } catch {
    return {}
  }
}

/** Both are form-encoded first: RFC 6749, 2.3.1. */
function clientHeader(id: string, secret: string): string {
  const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

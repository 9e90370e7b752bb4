import type { Clock } from '../base/clock.ts'
import { Secret, type SecretSource } from '../base/secret-file.ts'
import { type OAuth2Settings, TokenSource } from './oauth2.ts'

/** What a receiver wants to know who we are by. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: SecretSource; readonly password: SecretSource }
  | { readonly kind: 'scheme'; readonly scheme: string; readonly credentials: SecretSource }
  | ({ readonly kind: 'oauth2' } & OAuth2Settings)

export type Authorizer = {
  /** Value of the header `Authorization`. Rejects with a reason that names what is missing. */
  header(): Promise<string>
  /** The receiver did not take what `header` gave. */
  refused(): void
}

/** Credentials in files are read anew every few seconds, tokens are renewed before they expire. */
export function createAuthorizer(credentials: Credentials, clock: Clock): Authorizer {
  switch (credentials.kind) {
    case 'basic': {
      const username = new Secret(credentials.username, clock)
      const password = new Secret(credentials.password, clock)
      return fixed(async () => basic(await username.text(), await password.text()))
    }
    case 'scheme': {
      const secret = new Secret(credentials.credentials, clock)
      return fixed(async () => `${credentials.scheme} ${await secret.text()}`)
    }
    case 'oauth2': {
      const tokens = new TokenSource(credentials, clock)
      return {
        header: async () => `Bearer ${await tokens.token()}`,
        refused: () => tokens.forget(),
      }
    }
  }
}

/** RFC 7617, in UTF-8. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function fixed(header: () => Promise<string>): Authorizer {
  return { header, refused: () => {} }
}

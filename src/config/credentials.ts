import { resolve } from 'node:path'
import { z } from 'zod'
import type { SecretSource } from '../base/secret-file.ts'
import { type Sections, setting } from '../base/settings.ts'
import type { TlsSettings } from '../forward/connections.ts'
import type { Credentials } from '../forward/credentials.ts'
import { isToken, plainUrl } from './http.ts'

const text = (expected: string) => setting(expected, (value) => value || null).optional()
const secret = (expected: string) => setting(expected, (value) => value || null, true).optional()

const BASIC_AUTH = z
  .strictObject({
    username: secret('a user name'),
    username_file: text('a file'),
    password: secret('a password'),
    password_file: text('a file'),
  })
  .superRefine((section, context) => {
    refusePair(section, 'username', context)
    refusePair(section, 'password', context)
    requireOne(section, 'username', context)
  })

/** Basic has a section of its own. */
function schemeOf(text: string): string | null {
  return isToken(text) && text.toLowerCase() !== 'basic' ? text : null
}

const AUTHORIZATION = z
  .strictObject({
    // Somebody may have put the whole header here.
    type: setting('a scheme such as Bearer', schemeOf, true).prefault('Bearer'),
    credentials: secret('credentials'),
    credentials_file: text('a file'),
  })
  .superRefine((section, context) => {
    refusePair(section, 'credentials', context)
    requireOne(section, 'credentials', context)
  })

const OAUTH2 = z
  .strictObject({
    client_id: setting('an identifier', (value) => value || null),
    client_secret: secret('a secret'),
    client_secret_file: text('a file'),
    token_url: plainUrl('client_id and client_secret have room for them'),
    scopes: z.array(setting('a scope', (value) => value || null)).prefault([]),
    endpoint_params: z
      .record(
        z.string(),
        setting('text', (value) => value),
      )
      .prefault({}),
  })
  .superRefine((section, context) => {
    refusePair(section, 'client_secret', context)
    requireOne(section, 'client_secret', context)
  })

const MIN_VERSIONS = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const

export const TLS = z
  .strictObject({
    ca: text('a certificate'),
    ca_file: text('a file'),
    cert: text('a certificate'),
    cert_file: text('a file'),
    key: secret('a key'),
    key_file: text('a file'),
    server_name: text('a host name'),
    insecure_skip_verify: setting('true or false', (value) =>
      value === 'true' || value === 'false' ? value : null,
    ).prefault('false'),
    min_version: setting('TLS12 or TLS13', (value) =>
      value === 'TLS12' || value === 'TLS13' ? value : null,
    ).optional(),
  })
  .superRefine((section, context) => {
    for (const key of ['ca', 'cert', 'key']) refusePair(section, key, context)
    const hasCertificate = (section.cert ?? section.cert_file) !== undefined
    const hasKey = (section.key ?? section.key_file) !== undefined
    if (hasCertificate === hasKey) return
    const message = hasKey
      ? 'a key needs its cert or cert_file'
      : 'a cert needs its key or key_file'
    context.addIssue({ code: 'custom', message })
  })

/** Keys of a destination, as in Prometheus. */
export const CREDENTIAL_KEYS = {
  basic_auth: BASIC_AUTH.optional(),
  authorization: AUTHORIZATION.optional(),
  bearer_token: secret('a token'),
  bearer_token_file: text('a file'),
  oauth2: OAUTH2.optional(),
}

type CredentialSettings = {
  [key in keyof typeof CREDENTIAL_KEYS]?: z.infer<(typeof CREDENTIAL_KEYS)[key]>
}

export const CREDENTIAL_SECTIONS: Sections = {
  'remote_write[].basic_auth': { known: Object.keys(BASIC_AUTH.shape) },
  'remote_write[].authorization': { known: Object.keys(AUTHORIZATION.shape) },
  'remote_write[].oauth2': {
    known: Object.keys(OAUTH2.shape),
    notYet: ['tls_config', 'proxy_url'],
  },
  'remote_write[].tls_config': { known: Object.keys(TLS.shape), notYet: ['max_version'] },
}

/** A receiver gets one kind of credentials. */
export function refuseAmbiguous(section: CredentialSettings, context: z.RefinementCtx): void {
  const given = Object.keys(CREDENTIAL_KEYS).filter(
    (key) => section[key as keyof CredentialSettings] !== undefined,
  )
  for (const key of given.slice(1)) {
    const message = `cannot be set together with ${given[0]}`
    context.addIssue({ code: 'custom', message, path: [key] })
  }
}

/** @param directory that the paths of files are relative to */
export function credentialsOf(section: CredentialSettings, directory: string): Credentials | null {
  const { basic_auth: basic, authorization, oauth2 } = section
  const sourceOf = sourcesIn(directory)
  if (basic !== undefined) {
    const username = sourceOf(basic.username, basic.username_file)!
    const password = sourceOf(basic.password, basic.password_file) ?? { text: '' }
    return { kind: 'basic', username, password }
  }
  if (authorization !== undefined) {
    const credentials = sourceOf(authorization.credentials, authorization.credentials_file)!
    return { kind: 'scheme', scheme: authorization.type, credentials }
  }
  if (oauth2 !== undefined) {
    return {
      kind: 'oauth2',
      clientId: oauth2.client_id,
      clientSecret: sourceOf(oauth2.client_secret, oauth2.client_secret_file)!,
      tokenUrl: oauth2.token_url,
      scopes: oauth2.scopes,
      params: oauth2.endpoint_params,
    }
  }
  const token = sourceOf(section.bearer_token, section.bearer_token_file)
  return token === null ? null : { kind: 'scheme', scheme: 'Bearer', credentials: token }
}

/** @param directory that the paths of files are relative to */
export function tlsOf(section: z.infer<typeof TLS>, directory: string): TlsSettings {
  const sourceOf = sourcesIn(directory)
  return {
    ca: sourceOf(section.ca, section.ca_file),
    certificate: sourceOf(section.cert, section.cert_file),
    key: sourceOf(section.key, section.key_file),
    serverName: section.server_name ?? null,
    isVerified: section.insecure_skip_verify === 'false',
    minVersion: section.min_version === undefined ? null : MIN_VERSIONS[section.min_version],
  }
}

function sourcesIn(directory: string) {
  return (inline: string | undefined, file: string | undefined): SecretSource | null => {
    if (inline !== undefined) return { text: inline }
    return file === undefined ? null : { file: resolve(directory, file) }
  }
}

type Section = { readonly [key: string]: unknown }

function refusePair(section: Section, key: string, context: z.RefinementCtx): void {
  if (section[key] === undefined || section[`${key}_file`] === undefined) return
  const message = `cannot be set together with ${key}`
  context.addIssue({ code: 'custom', message, path: [`${key}_file`] })
}

function requireOne(section: Section, key: string, context: z.RefinementCtx): void {
  if (section[key] !== undefined || section[`${key}_file`] !== undefined) return
  context.addIssue({ code: 'custom', message: `needs ${key} or ${key}_file` })
}

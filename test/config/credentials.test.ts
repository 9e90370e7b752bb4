import { expect, test } from 'vitest'
import type { SluiceError } from '../../src/base/errors.ts'
import { parseConfig } from '../../src/config/config.ts'

/** The destination with these settings, in a file of `/etc/sluice`. */
function destinationWith(settings: object) {
  const text = JSON.stringify({ remote_write: [{ url: 'https://central/write', ...settings }] })
  return parseConfig(text, 'sluice.yaml', {}, '/etc/sluice').config.remoteWrite[0]!
}

function problemsOf(settings: object): string[] {
  try {
    destinationWith(settings)
    return []
  } catch (error) {
    return (error as SluiceError).message.split('\n').map((line) => line.replace(/^.*?\]\./, ''))
  }
}

test('every way to show who we are is read as Prometheus has it', () => {
  const basic = { username: 'me', password_file: 'secrets/password' }
  expect(destinationWith({ basic_auth: basic }).credentials).toEqual({
    kind: 'basic',
    username: { text: 'me' },
    password: { file: '/etc/sluice/secrets/password' },
  })
  expect(destinationWith({ authorization: { credentials: 'token' } }).credentials).toEqual({
    kind: 'scheme',
    scheme: 'Bearer',
    credentials: { text: 'token' },
  })
  expect(destinationWith({ bearer_token_file: '/run/token' }).credentials).toEqual({
    kind: 'scheme',
    scheme: 'Bearer',
    credentials: { file: '/run/token' },
  })
  const oauth2 = {
    client_id: 'me',
    client_secret: 'secret',
    token_url: 'https://issuer/token',
    scopes: ['write'],
    endpoint_params: { audience: 'metrics' },
  }
  expect(destinationWith({ oauth2 }).credentials).toEqual({
    kind: 'oauth2',
    clientId: 'me',
    clientSecret: { text: 'secret' },
    tokenUrl: 'https://issuer/token',
    scopes: ['write'],
    params: { audience: 'metrics' },
  })
  const tls = { ca_file: 'ca.crt', server_name: 'central', insecure_skip_verify: true }
  expect(destinationWith({ tls_config: { ...tls, min_version: 'TLS13' } }).tls).toEqual({
    ca: { file: '/etc/sluice/ca.crt' },
    certificate: null,
    key: null,
    serverName: 'central',
    isVerified: false,
    minVersion: 'TLSv1.3',
  })
})

test.for([
  [{ basic_auth: {} }, 'basic_auth: needs username or username_file'],
  [
    { basic_auth: { username: 'me', password: 'a', password_file: 'b' } },
    'basic_auth.password_file: cannot be set together with password',
  ],
  [
    { basic_auth: { username: 'me' }, bearer_token: 'a' },
    'bearer_token: cannot be set together with basic_auth',
  ],
  [
    { authorization: { type: 'Basic', credentials: 'a' } },
    'authorization.type: expected a scheme such as Bearer',
  ],
  [
    { oauth2: { client_id: 'me', client_secret: 'a', token_url: 'issuer' } },
    'oauth2.token_url: expected an http or https URL without user and password ' +
      '(client_id and client_secret have room for them), got "issuer"',
  ],
  [{ tls_config: { cert_file: 'a' } }, 'tls_config: a cert needs its key or key_file'],
  [{ tls_config: { key: 'a' } }, 'tls_config: a key needs its cert or cert_file'],
  [{ tls_config: { ca_fil: 'a' } }, 'tls_config.ca_fil: unknown setting, did you mean "ca_file"?'],
] as const)('%j is a problem that says what would do', ([settings, problem]) => {
  expect(problemsOf(settings)).toEqual([problem])
})

test('a token URL is no place for a secret, and the problem does not show it', () => {
  const oauth2 = { client_id: 'a', client_secret: 'b', token_url: 'https://me:letmein@issuer' }
  expect(problemsOf({ oauth2 })).toEqual([expect.stringMatching(/^(?!.*letmein).*without user/)])
})

test('no problem shows a secret', () => {
  const hidden = ['hidden']
  for (const wrong of [
    { basic_auth: { username: hidden, password: hidden } },
    { authorization: 'Bearer hidden' },
    { authorization: { type: 'Bearer hidden', credentials: hidden } },
    { oauth2: hidden, bearer_token: hidden },
    { tls_config: { cert: 'a', key: hidden } },
  ]) {
    expect(problemsOf(wrong).join()).toMatch(/^(?!.*hidden).*expected/)
  }
})

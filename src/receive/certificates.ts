import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../base/clock.ts'
import { SluiceError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { TlsFiles } from '../base/tls-files.ts'

/** How long a new certificate may lie in its file before new connections get it. */
const LOOK_EVERY_MS = 5_000

/** What a server is made with; its certificates come with `useCertificates`. */
export function tlsOptions({ clientCaFile }: TlsFiles) {
  const asksForClients = clientCaFile !== null
  return {
    requestCert: asksForClients,
    rejectUnauthorized: asksForClients,
    minVersion: 'TLSv1.2',
  } as const
}

/**
 * Gives `server` the certificates of `files`, now and whenever they change; connections that
 * are open keep theirs. While the files cannot be used, as between the exchange of the one and
 * of the other, what was there before stays.
 *
 * @returns how to stop looking
 * @throws LISTEN_FAILED when they cannot be used at the start
 */
export async function useCertificates(
  server: { setSecureContext(options: SecureContextOptions): void },
  files: TlsFiles,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<() => void> {
  const over = new AbortController()
  let inUse = await readCertificates(files)
  let trouble = ''
  server.setSecureContext(inUse)

  async function look(): Promise<void> {
    try {
      const found = await readCertificates(files)
      trouble = ''
      if (isDeepStrictEqual(found, inUse)) return
      server.setSecureContext(found)
      inUse = found
      log.info('new connections get the new certificate', { file: files.certFile })
    } catch (error) {
      const { message } = error as Error
      if (message !== trouble) log.warn('the certificate from before stays in use', { error })
      trouble = message
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      const isOver = await clock.sleep(LOOK_EVERY_MS, over.signal).then(
        () => false,
        () => true,
      )
      if (isOver) return
      await look()
    }
  }

  void follow()
  return () => over.abort()
}

async function readCertificates(files: TlsFiles): Promise<SecureContextOptions> {
  const [cert, key] = await Promise.all([
    read(files.certFile, 'cert_file'),
    read(files.keyFile, 'key_file'),
  ])
  const { clientCaFile } = files
  const ca = clientCaFile === null ? {} : { ca: await read(clientCaFile, 'client_ca_file') }
  const options = { cert, key, ...ca }
  try {
    createSecureContext(options)
  } catch (cause) {
    const message = `the files of listen.tls cannot be used (${(cause as Error).message})`
    const remedy = 'they must be PEM, and the key must belong to the certificate'
    throw new SluiceError('LISTEN_FAILED', `${message}: ${remedy}`, { cause })
  }
  return options
}

async function read(file: string, key: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const message = `listen.tls.${key}: ${file} cannot be read (${code})`
    throw new SluiceError('LISTEN_FAILED', message, { cause })
  }
}

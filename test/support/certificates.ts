import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export type Certificate = { certFile: string; keyFile: string; cert: string; key: string }

/** A certificate that vouches for itself, good for a day, in two files of `directory`. */
export async function makeCertificate(
  directory: string,
  name: string,
  host = 'localhost',
): Promise<Certificate> {
  const certFile = join(directory, `${name}.crt`)
  const keyFile = join(directory, `${name}.key`)
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '1', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${host}`],
    ...['-keyout', keyFile, '-out', certFile],
  ])
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  return { certFile, keyFile, cert, key }
}

/** One that vouches for itself, and was good for a day in 2020. */
export async function makeExpiredCertificate(
  directory: string,
  host = 'localhost',
): Promise<Certificate> {
  const file = (name: string) => join(directory, `expired.${name}`)
  const openssl = (words: string) => promisify(execFile)('openssl', words.split(' '))
  const config = [
    ...['[ca]', 'default_ca = own', '[own]', `database = ${file('index')}`],
    ...[`serial = ${file('serial')}`, `new_certs_dir = ${directory}`, 'default_md = sha256'],
    ...['policy = any', 'x509_extensions = names', '[any]', 'commonName = supplied'],
    ...['[names]', `subjectAltName = DNS:${host}`, '[req]', 'distinguished_name = none', '[none]'],
  ]
  await writeFile(file('cnf'), config.join('\n'))
  await writeFile(file('index'), '')
  await writeFile(file('serial'), '01')
  const withConfig = `-config ${file('cnf')}`
  const key = `-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${file('key')}`
  await openssl(`req -new ${withConfig} ${key} -subj /CN=expired -out ${file('csr')}`)
  const dates = '-startdate 20200101000000Z -enddate 20200102000000Z'
  const own = `-selfsign -batch -notext -keyfile ${file('key')} -in ${file('csr')}`
  await openssl(`ca ${withConfig} ${own} ${dates} -out ${file('crt')}`)
  const [certFile, keyFile] = [file('crt'), file('key')]
  const [cert, keyText] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  return { certFile, keyFile, cert, key: keyText }
}

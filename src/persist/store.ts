import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Disk } from '../base/disk.ts'
import { SluiceError } from '../base/errors.ts'
import { replaceFile } from '../base/replace-file.ts'
import { FORMAT_VERSION } from './segment.ts'

export const STORE_FILE = 'store.json'

/** The file is a hundred bytes; what is larger is not ours. */
const STORE_FILE_BYTES_MAX = 4096

const STORE_ID = /^[0-9a-f]{32}$/

/**
 * The id of the store in `directory`, or undefined when the file that names it is missing or
 * damaged: then the segments know it too.
 *
 * @throws LOG_FORMAT when a newer version has written it
 */
export async function readStoreId(disk: Disk, directory: string): Promise<string | undefined> {
  if (!(await disk.list(directory)).includes(STORE_FILE)) return undefined
  const file = await disk.open(join(directory, STORE_FILE), 'read')
  try {
    const bytes = new Uint8Array(STORE_FILE_BYTES_MAX)
    const length = await file.read(bytes, 0)
    const store = parse(new TextDecoder().decode(bytes.subarray(0, length)))
    if (store === undefined) return undefined
    refuseNewerFormat(store.format, join(directory, STORE_FILE))
    return store.id
  } finally {
    await file.close()
  }
}

/**
 * Written beside and renamed, so that there is either no such file or a whole one. With one bit of
 * the id flipped every segment would be a stranger's, and with one of the format a newer version's:
 * hence the checksum, which every later format must keep.
 */
export async function writeStoreId(disk: Disk, directory: string, id: string): Promise<void> {
  const check = checkOf(FORMAT_VERSION, id)
  const text = `${JSON.stringify({ format: FORMAT_VERSION, store: id, check })}\n`
  const bytes = new TextEncoder().encode(text)
  await replaceFile(disk, join(directory, STORE_FILE), (file) => file.write([bytes], 0))
  await disk.syncDirectory(dirname(directory))
}

/** @throws LOG_FORMAT */
export function refuseNewerFormat(format: number, path: string): void {
  if (format <= FORMAT_VERSION) return
  throw new SluiceError(
    'LOG_FORMAT',
    `${path} has format ${format}, and this version reads formats up to ${FORMAT_VERSION}; ` +
      'nothing was changed; start the version that wrote it, or choose an empty storage.path',
  )
}

function parse(text: string): { format: number; id: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('format' in value) || typeof value.format !== 'number') return undefined
  // A newer format may name its store otherwise; that it is newer must be seen all the same.
  const id = 'store' in value && typeof value.store === 'string' ? value.store : ''
  // The first stores have none.
  if ('check' in value && value.check !== checkOf(value.format, id)) return undefined
  if (value.format <= FORMAT_VERSION && !STORE_ID.test(id)) return undefined
  return { format: value.format, id }
}

function checkOf(format: number, id: string): number {
  return crc32(`${format} ${id}`)
}

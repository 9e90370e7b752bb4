import { type DistinctHeaders, parseMediaType } from './negotiate.ts'

/** How requests and answers are written. */
export type OtlpEncoding = 'protobuf' | 'json'

export type OtlpCompression = 'none' | 'gzip' | 'zstd'

export type OtlpNegotiated =
  | { encoding: OtlpEncoding; compression: OtlpCompression }
  /** The encoding is null when it is what was wrong: then the answer is text. */
  | { status: 405 | 415; reason: string; encoding: OtlpEncoding | null }

const ENCODINGS = new Map<string, OtlpEncoding>([
  ['application/x-protobuf', 'protobuf'],
  ['application/json', 'json'],
])

const COMPRESSIONS = new Map<string, OtlpCompression>([
  ['', 'none'],
  ['identity', 'none'],
  ['gzip', 'gzip'],
  ['zstd', 'zstd'],
])

/**
 * Decides by method and headers how the body is to be read, before any of it is.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export function negotiateOtlp(
  method: string | undefined,
  headers: DistinctHeaders,
): OtlpNegotiated {
  const contentType = (headers['content-type'] ?? []).join(', ').trim()
  const encoding = ENCODINGS.get(parseMediaType(contentType)?.type ?? '') ?? null
  if (method !== 'POST') {
    return { status: 405, reason: 'OTLP is sent by POST: correct the method', encoding }
  }
  if (encoding === null) {
    const known = [...ENCODINGS.keys()].join(' or ')
    return {
      status: 415,
      reason: `the Content-Type is "${contentType}": OTLP is sent as ${known}`,
      encoding,
    }
  }
  const written = (headers['content-encoding'] ?? []).join(', ').trim().toLowerCase()
  const compression = COMPRESSIONS.get(written)
  if (compression !== undefined) return { encoding, compression }
  const reason = `the Content-Encoding is "${written}": OTLP is taken in gzip, zstd or plain`
  return { status: 415, reason, encoding }
}

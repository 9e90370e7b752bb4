/** Remote Write 1.0 or 2.0. */
export type Protocol = 'rw1' | 'rw2'

export type Negotiated =
  | { protocol: Protocol }
  /** `reason` is for the person who runs the sender. */
  | { status: 405 | 415; reason: string }

/** Header values by lower-case name, as in `request.headersDistinct`: repeated ones are lists. */
export type DistinctHeaders = { readonly [name: string]: readonly string[] | undefined }

const MESSAGES = new Map<string, Protocol>([
  ['prometheus.WriteRequest', 'rw1'],
  ['io.prometheus.write.v2.Request', 'rw2'],
])

/**
 * Decides by method and headers alone which message the body holds, before any of it is
 * read: a damaged body of a wrong type is a wrong type.
 *
 * What is missing is taken as what Prometheus would have sent (1.0, snappy), what is there
 * must be understood. Version headers are not looked at: the content type says it all.
 *
 * @see https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/ "Protocol"
 */
export function negotiate(method: string | undefined, headers: DistinctHeaders): Negotiated {
  if (method !== 'POST') {
    return { status: 405, reason: 'Remote Write is sent by POST: correct the method' }
  }
  const protocol = protocolOf(joined(headers['content-type']))
  if ('status' in protocol) return protocol
  const encoding = joined(headers['content-encoding']).toLowerCase()
  if (encoding !== '' && encoding !== 'snappy') {
    return refused(
      `the Content-Encoding is "${encoding}": Remote Write takes snappy (block format) only`,
    )
  }
  return protocol
}

function protocolOf(contentType: string): Negotiated {
  if (contentType === '') return { protocol: 'rw1' }
  const mediaType = parseMediaType(contentType)
  if (mediaType === null) {
    return refused(`the Content-Type "${contentType}" cannot be read: send application/x-protobuf`)
  }
  if (mediaType.type !== 'application/x-protobuf') {
    return refused(
      `the Content-Type is "${mediaType.type}": Remote Write is sent as application/x-protobuf`,
    )
  }
  const names = mediaType.parameters.filter(([name]) => name === 'proto').map(([, value]) => value)
  if (names.length === 0) return { protocol: 'rw1' }
  const protocol = names.length === 1 ? MESSAGES.get(names[0]!) : undefined
  if (protocol !== undefined) return { protocol }
  const known = [...MESSAGES.keys()].join(' and ')
  return refused(`the Content-Type asks for proto="${names.join('", "')}": known are ${known}`)
}

function refused(reason: string): Negotiated {
  return { status: 415, reason }
}

/** A header that came twice is one with a comma, which no value here may contain. */
function joined(values: readonly string[] | undefined): string {
  return (values ?? []).join(', ').trim()
}

/** Names are in lower case, values as they were sent. */
export type MediaType = { type: string; parameters: [name: string, value: string][] }

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const TYPE = new RegExp(`^(${TOKEN}/${TOKEN})`)
const PARAMETER = new RegExp(
  `[ \\t]*;[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?`,
  'y',
)

/**
 * `type/subtype` and its parameters, with optional blanks around semicolons, and values
 * that may be quoted. Null when the text is anything else.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-media-type
 */
export function parseMediaType(text: string): MediaType | null {
  const type = TYPE.exec(text)?.[1]
  if (type === undefined) return null
  const parameters: MediaType['parameters'] = []
  const end = text.trimEnd().length
  let at = type.length
  while (at < end) {
    PARAMETER.lastIndex = at
    const match = PARAMETER.exec(text)
    if (match === null) return null
    const [, name, plain, quoted] = match
    const value = plain ?? quoted?.replace(/\\(.)/g, '$1')
    if (name !== undefined) parameters.push([name.toLowerCase(), value!])
    at = PARAMETER.lastIndex
  }
  return { type: type.toLowerCase(), parameters }
}

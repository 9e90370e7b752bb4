import { createPushDigest } from '../admit/push-digest.ts'
import { createRemoteWrite1Decoder } from '../decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../decode/remote-write-2.ts'
import type { ReadParts } from '../ingest.ts'
import { PUSH_BYTES_MAX } from '../kernel/layout.ts'
import type { DigestKey } from '../model/identity.ts'
import { createOtlpDecoder } from '../otlp/decoder.ts'
import { otlpOfJson } from '../otlp/json.ts'
import type { OtlpOptions } from '../otlp/options.ts'
import { decompressInto, inspect } from '../wire/snappy.ts'

/** All that it takes to read pushes, in whichever thread. */
export function createReadParts(key: DigestKey, options: OtlpOptions): ReadParts {
  const digest = createPushDigest(key)
  const otlp = createOtlpDecoder(key, options)
  return {
    digest: ({ protocol, sender, body }) => digest(protocol, sender.cluster, body),
    inspect: (body) => inspect(body, PUSH_BYTES_MAX),
    decompress: (body, batch) => decompressInto(batch.kernel, body),
    decode: {
      rw1: createRemoteWrite1Decoder(key),
      rw2: createRemoteWrite2Decoder(key),
      otlp,
      'otlp-grpc': otlp,
      'otlp-json': (body, batch) => {
        const read = otlpOfJson(body)
        return 'problem' in read ? read.problem : otlp(read.bytes, batch)
      },
    },
  }
}

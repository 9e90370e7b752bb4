import { createRemoteWrite1Decoder } from '../decode/remote-write-1.ts'
import { createRemoteWrite2Decoder } from '../decode/remote-write-2.ts'
import type { ReadParts } from '../ingest.ts'
import { PUSH_BYTES_MAX } from '../kernel/layout.ts'
import type { DigestKey } from '../model/identity.ts'
import { decompressInto, inspect } from '../wire/snappy.ts'

/** All that it takes to read pushes, in whichever thread. */
export function createReadParts(key: DigestKey): ReadParts {
  return {
    inspect: (body) => inspect(body, PUSH_BYTES_MAX),
    decompress: (body, batch) => decompressInto(batch.kernel, body),
    decode: {
      rw1: createRemoteWrite1Decoder(key),
      rw2: createRemoteWrite2Decoder(key),
    },
  }
}

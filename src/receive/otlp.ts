import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Sender } from '../model/outcome.ts'
import type { Answer } from './answer.ts'
import { announcedBytes, BODY_BYTES_MAX, isHeldBack, readBody } from './body.ts'
import { decompressed } from './decompress.ts'
import { answerExport, overloadExport, refuseExport } from './otlp-answer.ts'
import { negotiateOtlp, type OtlpCompression, type OtlpEncoding } from './otlp-negotiate.ts'
import type { Permits } from './permit.ts'
import type { Ingest } from './push.ts'
import { reply } from './reply.ts'
import type { Handler } from './server.ts'
import type { WriteCounters } from './write.ts'

export type OtlpParts = {
  /** Who the credential says it is. */
  identify: (request: IncomingMessage) => Sender
  /** Never rejects. */
  ingest: Ingest
  permits: Permits
  clock: Clock
  /** In [0, 1). */
  random: () => number
  /** Counts here what was answered. */
  counters: WriteCounters
}

const PROTOCOLS = { protobuf: 'otlp', json: 'otlp-json' } as const

/** `POST /v1/metrics`: negotiates, reads, decompresses, hands over, answers. */
export function createOtlpHandler(parts: OtlpParts): Handler {
  const { permits, clock, random, counters } = parts

  return async (request, response) => {
    const negotiated = negotiateOtlp(request.method, request.headersDistinct)
    if ('status' in negotiated) {
      const { status, reason, encoding } = negotiated
      const headers: Answer['headers'] = status === 405 ? { Allow: 'POST' } : {}
      count(encoding === null ? 'none' : PROTOCOLS[encoding], status)
      return reply(response, refuseExport(status, reason, encoding, headers), clock)
    }
    const { encoding, compression } = negotiated
    const announced = announcedBytes(request) ?? 0
    const permit = announced > BODY_BYTES_MAX ? null : permits.take(announced)
    try {
      const answer =
        permit === null
          ? withoutPermit(announced, encoding)
          : await takeExport(request, response, { encoding, compression, grow: permit.grow })
      if (answer === null) {
        counters.gone += 1
        return
      }
      count(PROTOCOLS[encoding], answer.status)
      await reply(response, answer, clock)
    } finally {
      permit?.release()
    }
  }

  function withoutPermit(announced: number, encoding: OtlpEncoding): Answer {
    return announced > BODY_BYTES_MAX ? tooLarge(encoding) : withoutRoom(encoding)
  }

  /** Null when there is nobody to answer any more. */
  async function takeExport(
    request: IncomingMessage,
    response: ServerResponse,
    how: {
      encoding: OtlpEncoding
      compression: OtlpCompression
      grow: (bytes: number) => boolean
    },
  ): Promise<Answer | null> {
    const { encoding, compression, grow } = how
    if (isHeldBack(request)) response.writeContinue()
    const read = await readBody(request, { limitBytes: BODY_BYTES_MAX, grow })
    const body = read.kind === 'whole' ? await decompressed(read.bytes, compression, grow) : read
    switch (body.kind) {
      case 'gone':
        return null
      case 'too-large':
        return tooLarge(encoding)
      case 'no-room':
        return withoutRoom(encoding)
      case 'damaged':
        return refuseExport(400, body.reason, encoding)
      case 'whole': {
        const sender = parts.identify(request)
        const receivedMs = clock.nowMs()
        const push = { sender, protocol: PROTOCOLS[encoding], body: body.bytes, receivedMs }
        return answerExport(await parts.ingest(push), encoding, random())
      }
    }
  }

  function tooLarge(encoding: OtlpEncoding): Answer {
    const reason = `the body is longer than ${BODY_BYTES_MAX} bytes: send smaller requests`
    return refuseExport(413, reason, encoding)
  }

  function withoutRoom(encoding: OtlpEncoding): Answer {
    const reason = 'too many requests at once: try again later'
    return overloadExport(reason, encoding, random(), permits.waitSeconds)
  }

  function count(protocol: string, status: number): void {
    const key = `${protocol} ${status}`
    counters.answers.set(key, (counters.answers.get(key) ?? 0) + 1)
  }
}

import type { RequestLimits } from '../decode/limits.ts'
import { REQUEST_LIMITS } from '../decode/limits.ts'
import type { Batch } from '../model/batch.ts'
import type { DigestKey } from '../model/identity.ts'
import { MetricReader } from './metric-reader.ts'
import { OTLP_DEFAULTS, type OtlpOptions } from './options.ts'
import { Point } from './point.ts'
import { OtlpRequest } from './request.ts'
import { Resource } from './resource.ts'
import { Scope } from './scope.ts'

/** A histogram of fifteen buckets writes its labels out seventeen times. */
export const OTLP_LIMITS: RequestLimits = { ...REQUEST_LIMITS, labelBytes: 256 * 2 ** 20 }

/**
 * Decodes `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`, and
 * translates it as Prometheus does.
 *
 * The result works as that of `createRemoteWrite2Decoder`. What is refused is refused data
 * point by data point, and `batch.rejections.points` counts them.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export function createOtlpDecoder(
  key: DigestKey,
  options: OtlpOptions = OTLP_DEFAULTS,
  limits: RequestLimits = OTLP_LIMITS,
): (body: Uint8Array, batch: Batch) => string | null {
  const request = new OtlpRequest(key, options, limits)
  const { reader } = request
  const resource = new Resource(request)
  const scope = new Scope(request)
  const metrics = new MetricReader(new Point(request))

  /** Fields may come in any order, so what points refer to is read before the first point. */
  function readResourceMetrics(): void {
    request.newestMs = 0
    resource.begin()
    const { at } = reader
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x0a) {
        const outer = reader.enter()
        resource.read(reader)
        reader.leave(outer)
      } else reader.skip(tag)
    }
    if (reader.malformed !== null) return
    resource.settle()
    reader.at = at
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x12) {
        const outer = reader.enter()
        readScopeMetrics()
        reader.leave(outer)
      } else reader.skip(tag)
    }
    if (request.newestMs > 0 && reader.malformed === null) {
      resource.addTargetInfo(request.newestMs)
    }
  }

  function readScopeMetrics(): void {
    scope.begin()
    const { at } = reader
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x0a) {
        const outer = reader.enter()
        scope.read(reader)
        reader.leave(outer)
      } else if (tag === 0x1a) scope.readSchemaUrl(reader)
      else reader.skip(tag)
    }
    if (reader.malformed !== null) return
    scope.settle()
    const { base } = request.labels
    base.begin()
    resource.addLabels()
    scope.addLabels()
    base.settle(request.batch)
    request.plain.setBase(base)
    reader.at = at
    while (reader.hasMore()) {
      request.plain.readMetrics(reader)
      if (!reader.hasMore()) break
      const tag = reader.uint32()
      if (tag === 0x12) {
        const outer = reader.enter()
        metrics.read()
        reader.leave(outer)
      } else reader.skip(tag)
    }
  }

  return (body, batch) => {
    request.begin(batch, body)
    resource.beginRequest()
    scope.beginRequest()
    metrics.beginRequest()
    while (reader.hasMore()) {
      const tag = reader.uint32()
      if (tag === 0x0a) {
        const outer = reader.enter()
        readResourceMetrics()
        reader.leave(outer)
      } else reader.skip(tag)
      if (batch.symbolCount > limits.symbols) reader.fail(`more than ${limits.symbols} symbols`)
    }
    return request.end(body)
  }
}

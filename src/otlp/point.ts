import { Deferred } from '../decode/deferred.ts'
import { ATTRIBUTES_MAX } from './attribute-list.ts'
import type { Metric } from './metric.ts'
import type { OtlpRequest } from './request.ts'
import { msOf } from './time.ts'

const NO_RECORDED_VALUE = 1

/** Field tags that differ from one kind of point to the other. */
export type PointTags = { attributes: number; exemplars: number; flags: number }

/** The stale marker of Prometheus, in two words. */
export const STALE_LOW = 2
export const STALE_HIGH = 0x7ff0_0000

/**
 * What all kinds of data points have: attributes, times, flags, exemplars.
 *
 * A class, because it is filled again for each point.
 */
export class Point {
  readonly request: OtlpRequest
  readonly exemplars = new Deferred()
  timestampMs = 0
  startMs = 0
  /** Whether it says that there is no value any more. */
  isStale = false

  constructor(request: OtlpRequest) {
    this.request = request
  }

  begin(): void {
    this.request.beginPoint()
    this.exemplars.count = 0
    this.timestampMs = 0
    this.startMs = 0
    this.isStale = false
  }

  /** Reads the value of the field `tag` if it is one that all points have. */
  read(tag: number, { attributes, exemplars, flags }: PointTags): boolean {
    const { reader } = this.request
    if (tag === attributes) {
      this.request.attributes.read(reader, this.request.pointAttributes)
    } else if (tag === 0x19) this.timestampMs = msOf(reader.fixed64(), reader.high)
    else if (tag === 0x11) this.startMs = msOf(reader.fixed64(), reader.high)
    else if (tag === exemplars) {
      const length = reader.skipBytes()
      this.exemplars.push(reader.at - length, reader.at)
    } else if (tag === flags) this.isStale = (reader.uint32() & NO_RECORDED_VALUE) !== 0
    else return false
    return true
  }

  /**
   * All fields were read: makes the labels. Returns false when the point was refused.
   *
   * @param extra symbol of a label that each of its series has its own value of, or 0
   */
  settle(metric: Metric, extra: number): boolean {
    const { request, timestampMs } = this
    const { labels, pointAttributes } = request
    if (request.reader.malformed !== null) return false
    if (timestampMs > request.newestMs) request.newestMs = timestampMs
    if (metric.problem !== null) {
      const { reason, text } = metric.problem
      request.refuse(reason, metric, () => text)
      return false
    }
    if (timestampMs === 0 || timestampMs > Number.MAX_SAFE_INTEGER) return this.#refuseTime(metric)
    if (pointAttributes.count > ATTRIBUTES_MAX) {
      request.refuse('label-invalid', metric, () => `more than ${ATTRIBUTES_MAX} attributes`)
      return false
    }
    if (!labels.settle(pointAttributes, extra)) return this.#refuseLabels(metric)
    if (!metric.hasStart) this.startMs = 0
    return true
  }

  // In functions of their own: what such a closure sees is an object for each call otherwise.
  #refuseTime(metric: Metric): false {
    const { timestampMs } = this
    const isMissing = timestampMs === 0
    const why = () =>
      isMissing ? 'a point without time_unix_nano' : `the time ${timestampMs} ms is beyond 2^53`
    this.request.refuse('timestamp-invalid', metric, why)
    return false
  }

  #refuseLabels(metric: Metric): false {
    const { labels } = this.request
    const why = () => `a key that is empty, or text that is not UTF-8, among ${labels.describe()}`
    this.request.refuse('label-invalid', metric, why)
    return false
  }

  /** Appends a series of this point with one float sample, which is stale if the point is. */
  addDouble(metric: Metric, name: number, extra: number, value: number): void {
    const { request, timestampMs, startMs } = this
    request.addSeries(metric, name, extra)
    if (this.isStale) request.addFloat(timestampMs, startMs, STALE_LOW, STALE_HIGH)
    else request.addDouble(timestampMs, startMs, value)
  }
}

import { ELEMENTS_MAX, SYMBOLS_MAX } from '../kernel/layout.ts'

/**
 * What one request may make of its body. Decoding turns two bytes of protobuf into a row of
 * some forty, and a symbol into as many labels as refer to it, so the limit on the body
 * alone does not bound memory or time. Every number here is far above what senders send
 * (Prometheus: 2000 samples in a request; vmagent: 10 000), and a request that breaks one
 * is malformed as a whole.
 */
export type RequestLimits = {
  symbols: number
  /** Series, samples, exemplars and metric families, each of them. */
  elements: number
  /**
   * Names and values of all labels, written out. Twice what the largest body of Remote Write
   * 1.0 can carry, where labels are always written out.
   */
  labelBytes: number
}

export const REQUEST_LIMITS: RequestLimits = {
  symbols: SYMBOLS_MAX,
  elements: ELEMENTS_MAX,
  labelBytes: 64 * 2 ** 20,
}

/** A series with more of them is refused; the rest of its request is not. */
export const LABELS_PER_SERIES_MAX = 1024

/** Buckets of one histogram, both sides together. Senders are asked to stay below 200. */
export const HISTOGRAM_BUCKETS_MAX = 1 << 16

/** Code points of an exemplar's label names and values together (OpenMetrics). */
export const EXEMPLAR_CODE_POINTS_MAX = 128

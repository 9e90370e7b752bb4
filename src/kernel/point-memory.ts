import * as layout from './layout.ts'

/**
 * The part of a kernel's memory that tells it how to read data points of OTLP. `layout.ts` says
 * what lies where, `assembly/` what it means.
 */
export class PointMemory {
  /** Name, value, name, value, …: symbols. */
  readonly labels: Uint32Array
  readonly baseSum: Int32Array
  readonly newestMs: Float64Array
  readonly keys: Uint32Array
  /** All of them, in words and in bytes. */
  readonly shapes: Uint32Array
  readonly shapeBytes: Uint8Array
  readonly metrics: Uint32Array
  readonly metricOfSymbol: Uint32Array
  readonly bounds: Uint32Array
  /** Epoch, symbol, epoch, symbol, …. */
  readonly valueText: Uint32Array

  constructor(buffer: SharedArrayBuffer) {
    const words = (at: number, length: number) => new Uint32Array(buffer, at, length)
    const shapesBytes = layout.SHAPES_MAX * layout.SHAPE_BYTES
    const labels = layout.POINT_BASE_MAX + 2 + layout.POINT_OWN_MAX
    this.labels = words(layout.POINT_LABELS, labels * 2)
    this.baseSum = new Int32Array(buffer, layout.POINT_BASE_SUM, 4)
    this.newestMs = new Float64Array(buffer, layout.POINT_NEWEST_MS, 1)
    this.keys = words(layout.POINT_KEYS, layout.POINT_OWN_MAX)
    this.shapes = words(layout.SHAPES, shapesBytes / 4)
    this.shapeBytes = new Uint8Array(buffer, layout.SHAPES, shapesBytes)
    this.metrics = words(layout.METRICS, (layout.METRICS_MAX * layout.METRIC_BYTES) / 4)
    this.metricOfSymbol = words(layout.METRIC_OF_SYMBOL, layout.SYMBOL_ROOM)
    this.bounds = words(layout.BOUNDS, layout.BOUNDS_BYTES_MAX / 4)
    this.valueText = words(layout.VALUE_TEXT, layout.SYMBOL_ROOM * 2)
  }

  /** Nothing is known of any request. */
  clear(): void {
    this.shapes.fill(0)
    this.metrics.fill(0)
    this.valueText.fill(0)
  }
}

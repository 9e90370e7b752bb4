import { credentials } from '@grpc/grpc-js'
import { ValueType } from '@opentelemetry/api'
import { OTLPMetricExporter as GrpcExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import {
  AggregationTemporalityPreference,
  OTLPMetricExporter as JsonExporter,
} from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import { expect, test } from 'vitest'
import { type TestGateway, withGateway } from '../support/gateway.ts'
import type { HistogramMessage } from '../support/remote-write.ts'

const SLOW = { timeout: 30_000 }
const { CUMULATIVE, DELTA } = AggregationTemporalityPreference

type Temporality = typeof CUMULATIVE | typeof DELTA
type ExporterFor = (gateway: TestGateway['gateway'], temporality: Temporality) => PushMetricExporter

const urlOf = ({ otlpHttpPort }: TestGateway['gateway']) =>
  `http://127.0.0.1:${otlpHttpPort}/v1/metrics`
const EXPORTERS: [string, ExporterFor][] = [
  [
    'protobuf',
    (gateway, temporalityPreference) =>
      new ProtobufExporter({ url: urlOf(gateway), temporalityPreference }),
  ],
  [
    'JSON',
    (gateway, temporalityPreference) =>
      new JsonExporter({ url: urlOf(gateway), temporalityPreference }),
  ],
  [
    'gRPC',
    ({ otlpGrpcPort }, temporalityPreference) =>
      new GrpcExporter({
        url: `http://127.0.0.1:${otlpGrpcPort}`,
        credentials: credentials.createInsecure(),
        temporalityPreference,
      }),
  ],
]

function providerOf(exporter: PushMetricExporter): MeterProvider {
  const from = { 'service.name': 'shop', 'host.name': 'web-1', 'cloud.zone': 'b' }
  return new MeterProvider({
    resource: resourceFromAttributes(from),
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
    views: [
      {
        instrumentName: 'payload.size',
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
      },
    ],
  })
}

/** What has arrived of a series of the shop, in order: numbers, and native histograms. */
function arrived({ receiver }: TestGateway, name: string, labels: { [name: string]: string } = {}) {
  const all = receiver.samplesOf({ __name__: name, job: 'shop', cloud_zone: 'b', ...labels })
  return all.map(({ bits, histogram }) => histogram ?? numberOf(bits))
}

function numberOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]!
}

/** Observations, their sum, and how many lie in buckets. */
function sizeOf(native: number | HistogramMessage | undefined): number[] {
  if (native === undefined || typeof native === 'number') return []
  let [bucket, inBuckets] = [0, Number(native.zeroCountInt)]
  for (const delta of native.positiveDeltas) {
    bucket += Number(delta)
    inBuckets += bucket
  }
  return [Number(native.countInt), Number(native.sum), inBuckets]
}

const PROMOTED = 'promote_resource_attributes: [cloud.zone]'

test.for(EXPORTERS)('what an SDK exports by %s arrives', SLOW, ([, exporterFor]) =>
  withGateway(
    async (own) => {
      const provider = providerOf(exporterFor(own.gateway, CUMULATIVE))
      const meter = provider.getMeter('test')
      meter.createCounter('orders', { valueType: ValueType.INT }).add(3, { 'payment.kind': 'card' })
      meter.createUpDownCounter('carts').add(2)
      meter.createGauge('temperature', { unit: 'Cel' }).record(21.5)
      meter.createHistogram('latency', { unit: 's' }).record(0.3)
      const sizes = meter.createHistogram('payload.size', { unit: 'By' })
      for (const size of [0, 1, 1234]) sizes.record(size)
      meter.createObservableCounter('ticks').addCallback((result) => result.observe(17))
      await provider.forceFlush()
      await provider.shutdown()

      const card = { payment_kind: 'card' }
      await expect.poll(() => arrived(own, 'orders_total', card)).toContain(3)
      expect(arrived(own, 'carts')).toContain(2)
      expect(arrived(own, 'temperature_celsius')).toContain(21.5)
      expect(arrived(own, 'latency_seconds_sum')).toContain(0.3)
      expect(arrived(own, 'latency_seconds_count')).toContain(1)
      // The SDK's own bounds: 0, 5, 10, …
      expect(arrived(own, 'latency_seconds_bucket', { le: '0' })).toContain(0)
      expect(arrived(own, 'latency_seconds_bucket', { le: '5' })).toContain(1)
      expect(arrived(own, 'latency_seconds_bucket', { le: '+Inf' })).toContain(1)
      expect(sizeOf(arrived(own, 'payload_size_bytes')[0])).toEqual([3, 1235, 3])
      expect(arrived(own, 'ticks_total')).toContain(17)
      const target = { __name__: 'target_info', job: 'shop', host_name: 'web-1', cloud_zone: 'b' }
      expect(own.receiver.samplesOf(target).map(({ bits }) => numberOf(bits))).toContain(1)
    },
    { grpc: true, yaml: `otlp: { ${PROMOTED} }` },
  ),
)

test.for(EXPORTERS)('what an SDK exports by %s as deltas is added up', SLOW, ([, exporterFor]) =>
  withGateway(
    async (own) => {
      const provider = providerOf(exporterFor(own.gateway, DELTA))
      const meter = provider.getMeter('test')
      const orders = meter.createCounter('orders')
      const carts = meter.createUpDownCounter('carts')
      const latency = meter.createHistogram('latency', { unit: 's' })
      const sizes = meter.createHistogram('payload.size', { unit: 'By' })
      for (const round of [1, 2, 3]) {
        orders.add(round)
        carts.add(1)
        latency.record(round * 3)
        sizes.record(1000 * round)
        await provider.forceFlush()
      }
      await provider.shutdown()

      await expect.poll(() => arrived(own, 'orders_total').slice(0, 3)).toEqual([1, 3, 6])
      // Which it exports as what they are, whatever was asked for.
      expect(arrived(own, 'carts').slice(0, 3)).toEqual([1, 2, 3])
      expect(arrived(own, 'latency_seconds_sum').slice(0, 3)).toEqual([3, 9, 18])
      expect(arrived(own, 'latency_seconds_count').slice(0, 3)).toEqual([1, 2, 3])
      const upTo5 = arrived(own, 'latency_seconds_bucket', { le: '5' })
      expect(upTo5.slice(0, 3)).toEqual([1, 1, 1])
      const natives = arrived(own, 'payload_size_bytes').slice(0, 3).map(sizeOf)
      expect(natives).toEqual([
        [1, 1000, 1],
        [2, 3000, 2],
        [3, 6000, 3],
      ])
      expect(await own.admin('/metrics')).not.toMatch(/rejected[^\n]*temporality/)
    },
    { grpc: true, yaml: `otlp: { ${PROMOTED}, delta: cumulative }` },
  ),
)

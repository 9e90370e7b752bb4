import { credentials } from '@grpc/grpc-js'
import { ValueType } from '@opentelemetry/api'
import { OTLPMetricExporter as GrpcExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import { expect, test } from 'vitest'
import { withGateway } from '../support/gateway.ts'

type Ports = { http: number; grpc: number }

const EXPORTERS: [string, (ports: Ports) => PushMetricExporter][] = [
  ['protobuf', ({ http }) => new ProtobufExporter({ url: `http://127.0.0.1:${http}/v1/metrics` })],
  ['JSON', ({ http }) => new JsonExporter({ url: `http://127.0.0.1:${http}/v1/metrics` })],
  [
    'gRPC',
    ({ grpc }) =>
      new GrpcExporter({
        url: `http://127.0.0.1:${grpc}`,
        credentials: credentials.createInsecure(),
      }),
  ],
]

test.for(EXPORTERS)('what an SDK exports by %s arrives', ([, exporterAt]) =>
  withGateway(
    async ({ gateway, receiver }) => {
      const ports = { http: gateway.otlpHttpPort!, grpc: gateway.otlpGrpcPort! }
      const exporter = exporterAt(ports)
      const provider = new MeterProvider({
        resource: resourceFromAttributes({ 'service.name': 'shop', 'host.name': 'web-1' }),
        readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
        views: [
          {
            instrumentName: 'payload.size',
            aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
          },
        ],
      })
      const meter = provider.getMeter('test')
      meter.createCounter('orders', { valueType: ValueType.INT }).add(3, { 'payment.kind': 'card' })
      meter.createUpDownCounter('carts').add(2)
      meter.createGauge('temperature', { unit: 'Cel' }).record(21.5)
      meter.createHistogram('latency', { unit: 's' }).record(0.3)
      meter.createHistogram('payload.size', { unit: 'By' }).record(1234)
      await provider.forceFlush()
      await provider.shutdown()

      const own = { job: 'shop' }
      const samples = (name: string, more: { [label: string]: string } = {}) =>
        receiver.samplesOf({ __name__: name, ...own, ...more }).map(({ bits }) => bits)
      const bits = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0]
      await expect.poll(() => samples('orders_total', { payment_kind: 'card' })).toContain(bits(3))
      expect(samples('carts')).toContain(bits(2))
      expect(samples('temperature_celsius')).toContain(bits(21.5))
      expect(samples('latency_seconds_sum')).toContain(bits(0.3))
      expect(samples('latency_seconds_bucket', { le: '+Inf' })).toContain(bits(1))
      expect(samples('payload_size_bytes').length).toBeGreaterThan(0)
      expect(samples('target_info', { host_name: 'web-1' })).toContain(bits(1))
    },
    { grpc: true },
  ),
)

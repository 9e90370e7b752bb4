import {
  type Attributes,
  CUMULATIVE,
  gaugeOf,
  type Message,
  pointAt,
  sumOf,
} from '../support/otlp.ts'

/** When all points are, unless they say otherwise. */
export const now = Date.now()

/** A request, and what comes of it. */
export type Row = {
  metrics: Message[]
  resource?: Attributes
  rejected?: number
  /** Sorted. */
  arrives: string[]
}

export const one = (attributes: Attributes = {}, more: Message = { asInt: '1' }) => [
  pointAt(now, more, attributes),
]
const cumulative = { aggregationTemporality: CUMULATIVE }

function histogram(name: string, point: Message, attributes: Attributes = {}): Message {
  return { name, histogram: { dataPoints: [pointAt(now, point, attributes)], ...cumulative } }
}

function exponential(name: string, ...points: Message[]): Message {
  const dataPoints = points.map((point, i) => pointAt(now, point, { i: `${i}` }))
  return { name, exponentialHistogram: { dataPoints, ...cumulative } }
}

const positive = (offset: number, ...bucketCounts: number[]) => ({
  positive: { offset, bucketCounts },
})
const bounds = [1e-7, 1, 2.5, 1e21]

/** `key` is in the name of the service, or in those of the metrics. */
export const ROWS: [title: string, key: string, row: Row][] = [
  ['G88: nothing is taken, and nothing comes of it', 'g88', { metrics: [], arrives: [] }],
  [
    'G89: a metric without points is no error',
    'g89',
    { metrics: [gaugeOf('g89.none', []), gaugeOf('g89', one())], arrives: ['g89{} 1'] },
  ],
  [
    'G96: attributes that become one label share it',
    'g96',
    {
      metrics: [gaugeOf('g96', one({ k8s_pod: 'b', 'k8s.pod': 'a' }))],
      arrives: ['g96{k8s_pod=a;b} 1'],
    },
  ],
  [
    'G97: keys become the names of labels',
    'g97',
    {
      metrics: [gaugeOf('g97', one({ _x: '1', '1st': '2', 'a..b': '3', 'a:b': '4' }))],
      arrives: ['g97{a__b=3,a_b=4,key_1st=2,key_x=1} 1'],
    },
  ],
  [
    'G98: the job is that of the service, whatever the point says',
    'g98',
    {
      metrics: [gaugeOf('g98', one({ job: 'x' }))],
      resource: { 'service.name': 'svc', 'service.namespace': 'ns' },
      arrives: ['g98{job=ns/svc} 1'],
    },
  ],
  [
    'G99: a namespace alone makes no job',
    'g99',
    {
      metrics: [gaugeOf('g99', one())],
      resource: { 'service.namespace': 'ns' },
      arrives: ['g99{} 1'],
    },
  ],
  [
    'G100: of a target of which no more is known nothing is told',
    'g100',
    {
      metrics: [gaugeOf('up', one())],
      resource: { 'service.name': 'g100', 'service.instance.id': 'i' },
      arrives: ['up{instance=i,job=g100} 1'],
    },
  ],
  [
    'G101: target_info is at the newest point of its resource',
    'g101',
    {
      metrics: [gaugeOf('up', [pointAt(now - 5, { asInt: '1' }, { n: '1' }), ...one()])],
      resource: { 'service.name': 'g101', 'host.name': 'h' },
      arrives: [
        'target_info{host_name=h,job=g101} 1',
        'up{job=g101,n=1} 1 at -5',
        'up{job=g101} 1',
      ],
    },
  ],
  [
    'G102: what a point says wins over what is promoted',
    'g102',
    {
      metrics: [gaugeOf('g102.a', one({ cloud_zone: 'point' })), gaugeOf('g102.b', one())],
      resource: { 'cloud.zone': 'resource' },
      arrives: ['g102_a{cloud_zone=point} 1', 'g102_b{cloud_zone=resource} 1'],
    },
  ],
  [
    'G103, G104: bounds are decimals, and there is no sum where none was sent',
    'g103',
    {
      metrics: [
        histogram('g103', { count: 10, bucketCounts: [1, 2, 3, 4, 0], explicitBounds: bounds }),
      ],
      arrives: [
        'g103_bucket{le=+Inf} 10',
        'g103_bucket{le=0.0000001} 1',
        'g103_bucket{le=1000000000000000000000} 10',
        'g103_bucket{le=1} 3',
        'g103_bucket{le=2.5} 6',
        'g103_count{} 10',
      ],
    },
  ],
  [
    'G105: three bounds and three counts are one rejected point',
    'g105',
    {
      metrics: [
        histogram('g105', { count: 3, bucketCounts: [1, 1, 1], explicitBounds: [1, 2, 3] }),
      ],
      rejected: 1,
      arrives: [],
    },
  ],
  [
    'G106: an attribute le gives way to that of the buckets',
    'g106',
    {
      metrics: [histogram('g106', { count: 1 }, { le: 'x' })],
      arrives: ['g106_bucket{le=+Inf} 1', 'g106_count{} 1'],
    },
  ],
  [
    'G107: a finer resolution is merged, also behind an empty group',
    'g107',
    {
      metrics: [exponential('g107', { scale: 10, count: 8, ...positive(0, 0, 0, 0, 0, 5, 3) })],
      arrives: ['g107{i=0} 8 2+1[8] of 8, zero 1e-128'],
    },
  ],
  [
    'G108: a scale that is too coarse costs its point',
    'g108',
    {
      metrics: [
        exponential(
          'g108',
          { scale: -5, count: 1, ...positive(0, 1) },
          { count: 1, ...positive(0, 1) },
        ),
      ],
      rejected: 1,
      arrives: ['g108{i=1} 0 1+1[1] of 1, zero 1e-128'],
    },
  ],
  [
    'G109: buckets are counted by their upper bounds',
    'g109',
    {
      metrics: [exponential('g109', { scale: 0, count: 7, ...positive(-3, 1, 2, 4) })],
      arrives: ['g109{i=0} 0 -2+3[1,1,2] of 7, zero 1e-128'],
    },
  ],
  [
    'G110: the zero bucket is as wide as was said',
    'g110',
    {
      metrics: [exponential('g110', { count: 1, zeroCount: 1, zeroThreshold: 0.5 })],
      arrives: ['g110{i=0} 0 [] of 1, zero 0.5'],
    },
  ],
  [
    'G111: a count that is not that of the buckets costs its point',
    'g111',
    {
      metrics: [exponential('g111', { count: 9, ...positive(0, 1) })],
      rejected: 1,
      arrives: [],
    },
  ],
  [
    'G112: no recorded value is a stale marker of each series',
    'g112',
    {
      metrics: [
        gaugeOf('g112.a', one({}, { flags: 1 })),
        histogram('g112.b', {
          flags: 1,
          sum: 1,
          bucketCounts: [1, 2],
          explicitBounds: [1],
          count: 3,
        }),
        exponential('g112.c', { flags: 1, count: 3, ...positive(0, 3) }),
      ],
      arrives: [
        'g112_a{} stale',
        'g112_b_bucket{le=+Inf} stale',
        'g112_b_bucket{le=1} stale',
        'g112_b_count{} stale',
        'g112_b_sum{} stale',
        'g112_c{i=0} 0 [] of 0, zero 0 stale',
      ],
    },
  ],
  [
    'G114: integers become the nearest double',
    'g114',
    {
      metrics: [gaugeOf('g114', one({}, { asInt: '9007199254740993' }))],
      arrives: ['g114{} 9007199254740992'],
    },
  ],
  [
    'G115: a unit of 1 is a ratio for gauges only',
    'g115',
    {
      metrics: [
        sumOf('g115.requests', one(), { unit: '1' }),
        gaugeOf('g115.requests', one(), { unit: '1' }),
        { name: 'g115.requests', unit: '1', sum: { dataPoints: one(), ...cumulative } },
      ],
      arrives: ['g115_requests_ratio{} 1', 'g115_requests_total{} 1', 'g115_requests{} 1'],
    },
  ],
  [
    'G116: a name of which nothing is left costs its points',
    'g116',
    {
      metrics: [gaugeOf('温度', [...one({ n: '1' }), ...one({ n: '2' })]), gaugeOf('g116', one())],
      rejected: 2,
      arrives: ['g116{} 1'],
    },
  ],
]

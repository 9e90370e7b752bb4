/** Kinds of values, by their names in protobuf; ids are written in hexadecimal. */
export type Scalar =
  | 'string'
  | 'bool'
  | 'double'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'uint32'
  | 'sint32'
  | 'bytes'
  | 'temporality'
  | 'traceId'
  | 'spanId'

/** A message's is given as a function, because messages refer to each other in circles. */
export type Field = { number: number; type: Scalar | (() => Schema); isRepeated: boolean }

export type Schema = ReadonlyMap<string, Field>

/** The field of a key, in camel case as it should be, or as in the .proto files. */
export function fieldOf(schema: Schema, key: string): Field | undefined {
  const found = schema.get(key)
  if (found !== undefined || !key.includes('_')) return found
  return schema.get(key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()))
}

type Literal = { [key: string]: [number, Field['type'], 'repeated'?] }

function schemaOf(fields: Literal): Schema {
  return new Map(
    Object.entries(fields).map(([key, [number, type, repeated]]) => {
      return [key, { number, type, isRepeated: repeated !== undefined }]
    }),
  )
}

const ANY_VALUE = schemaOf({
  stringValue: [1, 'string'],
  boolValue: [2, 'bool'],
  intValue: [3, 'int64'],
  doubleValue: [4, 'double'],
  arrayValue: [5, () => ARRAY_VALUE],
  kvlistValue: [6, () => KEY_VALUE_LIST],
  bytesValue: [7, 'bytes'],
})

const ARRAY_VALUE: Schema = schemaOf({ values: [1, () => ANY_VALUE, 'repeated'] })

const KEY_VALUE = schemaOf({ key: [1, 'string'], value: [2, () => ANY_VALUE] })

const KEY_VALUE_LIST: Schema = schemaOf({ values: [1, () => KEY_VALUE, 'repeated'] })

const EXEMPLAR = schemaOf({
  filteredAttributes: [7, () => KEY_VALUE, 'repeated'],
  timeUnixNano: [2, 'fixed64'],
  asDouble: [3, 'double'],
  asInt: [6, 'sfixed64'],
  spanId: [4, 'spanId'],
  traceId: [5, 'traceId'],
})

const TIMES = {
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
} satisfies Literal

const NUMBER_POINT = schemaOf({
  ...TIMES,
  attributes: [7, () => KEY_VALUE, 'repeated'],
  asDouble: [4, 'double'],
  asInt: [6, 'sfixed64'],
  exemplars: [5, () => EXEMPLAR, 'repeated'],
  flags: [8, 'uint32'],
})

const HISTOGRAM_POINT = schemaOf({
  ...TIMES,
  attributes: [9, () => KEY_VALUE, 'repeated'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  bucketCounts: [6, 'fixed64', 'repeated'],
  explicitBounds: [7, 'double', 'repeated'],
  exemplars: [8, () => EXEMPLAR, 'repeated'],
  flags: [10, 'uint32'],
  min: [11, 'double'],
  max: [12, 'double'],
})

const BUCKETS = schemaOf({ offset: [1, 'sint32'], bucketCounts: [2, 'uint64', 'repeated'] })

const EXPONENTIAL_POINT = schemaOf({
  ...TIMES,
  attributes: [1, () => KEY_VALUE, 'repeated'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  scale: [6, 'sint32'],
  zeroCount: [7, 'fixed64'],
  positive: [8, () => BUCKETS],
  negative: [9, () => BUCKETS],
  flags: [10, 'uint32'],
  exemplars: [11, () => EXEMPLAR, 'repeated'],
  min: [12, 'double'],
  max: [13, 'double'],
  zeroThreshold: [14, 'double'],
})

const QUANTILE = schemaOf({ quantile: [1, 'double'], value: [2, 'double'] })

const SUMMARY_POINT = schemaOf({
  ...TIMES,
  attributes: [7, () => KEY_VALUE, 'repeated'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  quantileValues: [6, () => QUANTILE, 'repeated'],
  flags: [8, 'uint32'],
})

function dataOf(point: Schema): Schema {
  return schemaOf({
    dataPoints: [1, () => point, 'repeated'],
    aggregationTemporality: [2, 'temporality'],
    isMonotonic: [3, 'bool'],
  })
}

const NUMBERS = dataOf(NUMBER_POINT)
const HISTOGRAMS = dataOf(HISTOGRAM_POINT)
const EXPONENTIALS = dataOf(EXPONENTIAL_POINT)
const SUMMARIES = dataOf(SUMMARY_POINT)

const METRIC = schemaOf({
  name: [1, 'string'],
  description: [2, 'string'],
  unit: [3, 'string'],
  gauge: [5, () => NUMBERS],
  sum: [7, () => NUMBERS],
  histogram: [9, () => HISTOGRAMS],
  exponentialHistogram: [10, () => EXPONENTIALS],
  summary: [11, () => SUMMARIES],
  metadata: [12, () => KEY_VALUE, 'repeated'],
})

const SCOPE = schemaOf({
  name: [1, 'string'],
  version: [2, 'string'],
  attributes: [3, () => KEY_VALUE, 'repeated'],
  droppedAttributesCount: [4, 'uint32'],
})

const SCOPE_METRICS = schemaOf({
  scope: [1, () => SCOPE],
  metrics: [2, () => METRIC, 'repeated'],
  schemaUrl: [3, 'string'],
})

const RESOURCE = schemaOf({
  attributes: [1, () => KEY_VALUE, 'repeated'],
  droppedAttributesCount: [2, 'uint32'],
})

const RESOURCE_METRICS = schemaOf({
  resource: [1, () => RESOURCE],
  scopeMetrics: [2, () => SCOPE_METRICS, 'repeated'],
  schemaUrl: [3, 'string'],
})

/** ExportMetricsServiceRequest. */
export const REQUEST = schemaOf({ resourceMetrics: [1, () => RESOURCE_METRICS, 'repeated'] })

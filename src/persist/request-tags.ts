/** Tags of `io.prometheus.write.v2.Request` and the messages in it. */
export const TIMESERIES = (5 << 3) | 2
export const LABELS_REFS = (1 << 3) | 2
export const SAMPLES = (2 << 3) | 2
export const HISTOGRAMS = (3 << 3) | 2
export const EXEMPLARS = (4 << 3) | 2
export const METADATA = (5 << 3) | 2
export const CREATED_TIMESTAMP = 6 << 3
export const SAMPLE_VALUE = (1 << 3) | 1
export const SAMPLE_TIMESTAMP = 2 << 3
export const SAMPLE_START = 3 << 3
export const HISTOGRAM_TIMESTAMP = 15 << 3
export const HISTOGRAM_START = 17 << 3
export const EXEMPLAR_VALUE = (2 << 3) | 1
export const EXEMPLAR_TIMESTAMP = 3 << 3
export const METADATA_TYPE = 1 << 3
export const METADATA_HELP = 3 << 3
export const METADATA_UNIT = 4 << 3

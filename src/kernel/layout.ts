/**
 * Where everything lies in the memory that a batch and the kernel share, in bytes. Read by
 * both sides: by Node, and by the compiler of the kernel.
 *
 * Each column has room for the most that a request may bring (`decode/limits.ts`), so none
 * ever moves. The system hands out pages when they are first touched: what is reserved here
 * and not used costs addresses and no memory.
 */

/** Of a push as it came, compressed, and of what is in it. */
export const PUSH_BYTES_MAX = 33554432
/** Decompressed: twice a push, because a block that was written anew may be larger. */
export const RAW_BYTES_MAX = 67108864
export const SYMBOLS_MAX = 1048576
/** Series and samples, each. */
export const ELEMENTS_MAX = 2097152
/** No reference takes less than a byte of the raw body. */
export const REFS_MAX = RAW_BYTES_MAX
/** Behind each region: loads and stores of 16 bytes may go beyond the end. */
const SLACK = 64
/** One symbol too many is told from none. */
export const SYMBOL_ROOM = SYMBOLS_MAX + 64
/** The same of series and samples. */
export const ELEMENT_ROOM = ELEMENTS_MAX + 64

/** The kernel's own constants lie below. */
export const REGISTERS = 65536
export const REGISTERS_MAX = 68
/** The last four registers. */
export const KEY = REGISTERS + 256

/** Labels of the series before: pairs of symbols, and what each label takes in the body. */
export const LAST_LABELS_MAX = 64
export const LAST_REFS = KEY + 64
export const LAST_LENGTHS = LAST_REFS + 1024
export const LAST_SUM = LAST_LENGTHS + 1024

/** The interner's slots: at most half of them are taken. */
export const SLOTS = 131072
export const SLOTS_MAX = SYMBOLS_MAX * 2
/** Where symbols wait while the slots are rearranged. */
export const SLOTS_SPARE = SLOTS + SLOTS_MAX * 8
export const SYMBOL_HASH = SLOTS_SPARE + SYMBOL_ROOM * 4
export const SYMBOL_START = SYMBOL_HASH + SYMBOL_ROOM * 4
export const SYMBOL_END = SYMBOL_START + SYMBOL_ROOM * 4
export const SYMBOL_DIGEST = SYMBOL_END + SYMBOL_ROOM * 4
export const SYMBOL_TRAITS = SYMBOL_DIGEST + SYMBOL_ROOM * 16
export const SYMBOL_FOLLOWER = SYMBOL_TRAITS + SYMBOL_ROOM
export const SYMBOL_NUMBER = SYMBOL_FOLLOWER + SYMBOL_ROOM * 4

/** Which value came after a value the last time, under the same name. */
export const SYMBOL_NEXT = SYMBOL_NUMBER + SYMBOL_ROOM * 4

export const LABEL_REFS = SYMBOL_NEXT + SYMBOL_ROOM * 4

export const SERIES_LABEL_START = LABEL_REFS + REFS_MAX * 4 + SLACK
export const SERIES_LABEL_END = SERIES_LABEL_START + ELEMENT_ROOM * 4
export const SERIES_IDENTITY = SERIES_LABEL_END + ELEMENT_ROOM * 4
export const SERIES_METADATA_TYPE = SERIES_IDENTITY + ELEMENT_ROOM * 16
export const SERIES_HELP = SERIES_METADATA_TYPE + ELEMENT_ROOM
export const SERIES_UNIT = SERIES_HELP + ELEMENT_ROOM * 4

export const SAMPLE_SERIES = SERIES_UNIT + ELEMENT_ROOM * 4
export const SAMPLE_TIMESTAMP = SAMPLE_SERIES + ELEMENT_ROOM * 4
export const SAMPLE_START = SAMPLE_TIMESTAMP + ELEMENT_ROOM * 8
export const SAMPLE_BITS = SAMPLE_START + ELEMENT_ROOM * 8
export const SAMPLE_HISTOGRAM_START = SAMPLE_BITS + ELEMENT_ROOM * 8
export const SAMPLE_HISTOGRAM_END = SAMPLE_HISTOGRAM_START + ELEMENT_ROOM * 4
/** What admission says: whether a sample goes into the block, and which family a series is of. */
export const SAMPLE_KEEP = SAMPLE_HISTOGRAM_END + ELEMENT_ROOM * 4
export const SERIES_FAMILY = SAMPLE_KEEP + ELEMENT_ROOM

/** Histograms, written anew: of a push, none takes four times what it took. */
export const HISTOGRAM_BYTES_MAX = RAW_BYTES_MAX * 2
export const HISTOGRAM_BYTES = SERIES_FAMILY + ELEMENT_ROOM * 4

export const EXEMPLAR_TIMESTAMP = HISTOGRAM_BYTES + HISTOGRAM_BYTES_MAX
export const EXEMPLAR_BITS = EXEMPLAR_TIMESTAMP + ELEMENT_ROOM * 8
export const EXEMPLAR_SERIES = EXEMPLAR_BITS + ELEMENT_ROOM * 8
export const EXEMPLAR_LABEL_START = EXEMPLAR_SERIES + ELEMENT_ROOM * 4
export const EXEMPLAR_LABEL_END = EXEMPLAR_LABEL_START + ELEMENT_ROOM * 4

export const FAMILY_NAME = EXEMPLAR_LABEL_END + ELEMENT_ROOM * 4
export const FAMILY_TYPE = FAMILY_NAME + ELEMENT_ROOM * 4
export const FAMILY_HELP = FAMILY_TYPE + ELEMENT_ROOM
export const FAMILY_UNIT = FAMILY_HELP + ELEMENT_ROOM * 4

/** What a family is called in the message that is being written: stamp, type, help, unit. */
export const FAMILIES_MAX = 200000
export const FAMILY_OUT = FAMILY_UNIT + ELEMENT_ROOM * 4
/** Series that were written, as elements of a snappy block, on their way into the message. */
export const OUT_BYTES_MAX = 1048576
export const OUT = FAMILY_OUT + FAMILIES_MAX * 16 + SLACK
/** Symbols that the kernel gave numbers: as they stand in a message, and their digests. */
export const NAMED_BYTES_MAX = 262144
export const NAMED_MAX = 16384
export const NAMED = OUT + OUT_BYTES_MAX + SLACK
export const NAMED_DIGESTS = NAMED + NAMED_BYTES_MAX + SLACK

/** The series being written and those before it, in turns: `assembly/recent-series.ts`. */
export const PLAIN_BYTES_MAX = 512
export const RECENT_ROOM = 1024
export const RECENT_MAX = 8
export const RECENT = NAMED_DIGESTS + NAMED_MAX * 16

/** Where the compressor has seen four bytes last. */
export const COMPRESS_TABLE = RECENT + RECENT_ROOM * RECENT_MAX
/** A compressed body, as it came or as it goes: at worst a sixth larger than what is in it. */
export const BODY_ROOM = 83886080
export const BODY = COMPRESS_TABLE + 32768
export const RAW = BODY + BODY_ROOM + SLACK
/** Which data point of OTLP a sample is of. */
export const SAMPLE_POINT = RAW + RAW_BYTES_MAX + SLACK

/**
 * Of OTLP: the labels that a point may have, as pairs of symbols: those of its resource and
 * scope, the metric's name, `le`, its own.
 */
export const POINT_BASE_MAX = 48
export const POINT_OWN_MAX = 32
export const POINT_LABELS = SAMPLE_POINT + ELEMENT_ROOM * 4
/** The sum of the identities of those of resource and scope. */
export const POINT_BASE_SUM = POINT_LABELS + 1024
/** The newest time of a point of the current resource, in milliseconds. */
export const POINT_NEWEST_MS = POINT_BASE_SUM + 16
/** Of the point: its attributes' keys and values as they were sent. */
export const POINT_KEYS = POINT_NEWEST_MS + 16
export const POINT_VALUES = POINT_KEYS + POINT_OWN_MAX * 4
/**
 * How points are sorted. In words: epoch, number of the base's names, how many attributes (with a
 * bit more for a histogram), how many labels, keys, names; then a byte for each label, sorted,
 * which is its place in POINT_LABELS.
 */
export const SHAPES_MAX = 256
export const SHAPE_BYTES = 384
export const SHAPES = POINT_VALUES + POINT_OWN_MAX * 4
export const SHAPE_EPOCH = 0
export const SHAPE_VERSION = 1
export const SHAPE_OWN = 2
export const SHAPE_WITH_LE = 65536
export const SHAPE_TOTAL = 3
export const SHAPE_KEYS = 4
export const SHAPE_NAMES = 36
export const SHAPE_ORDER = 68
/** What is known of metrics, in words; and which number each has, by the symbol of its name. */
export const METRICS_MAX = 8192
export const METRIC_BYTES = 64
export const METRICS = SHAPES + SHAPES_MAX * SHAPE_BYTES
export const METRIC_EPOCH = 0
/** As it was sent: symbol of its name, then what has to be the same. */
export const METRIC_SENT = 1
export const METRIC_UNIT = 2
export const METRIC_KIND = 3
export const METRIC_TRAITS = 4
export const METRIC_HELP = 5
/** Translated. */
export const METRIC_NAME = 6
export const METRIC_TYPE = 7
export const METRIC_HAS_START = 8
export const METRIC_SUM = 9
export const METRIC_COUNT = 10
export const METRIC_BUCKET = 11
/** Of its bounds: where they lie, 0 as long as nobody knows; how many; the longest text. */
export const METRIC_BOUNDS = 12
export const METRIC_BOUND_COUNT = 13
export const METRIC_WIDEST = 14
export const METRIC_OF_SYMBOL = METRICS + METRICS_MAX * METRIC_BYTES
/** Bounds of histograms: as they were sent, eight bytes each, then their symbols. */
export const BOUNDS_BYTES_MAX = 262144
export const BOUNDS = METRIC_OF_SYMBOL + SYMBOL_ROOM * 4
/**
 * Numbers and booleans take no more, with their tag. Their bytes are symbols, too, as long as a
 * request has no more than so many: a sender whose numbers are all different gains nothing.
 */
export const NUMBER_BYTES_MAX = 11
export const NUMBER_SYMBOLS_MAX = 32768
/** For values that are no text, by the symbol of their bytes: epoch and symbol of their text. */
export const VALUE_TEXT = BOUNDS + BOUNDS_BYTES_MAX
export const MEMORY_BYTES = VALUE_TEXT + SYMBOL_ROOM * 8

/** Registers: words that both sides read and write. The first are the counts of a batch. */
export const AT_SYMBOL_COUNT = 0
export const AT_LABEL_REF_COUNT = 1
export const AT_SERIES_COUNT = 2
export const AT_SAMPLE_COUNT = 3
export const AT_HISTOGRAM_BYTE_COUNT = 4
export const AT_EXEMPLAR_COUNT = 5
export const AT_EXEMPLARS_OVERSIZED = 6
export const AT_FAMILY_COUNT = 7
export const AT_MISNAMED_FIELDS = 8
export const AT_IS_PLAIN = 9
export const AT_HAS_POINTS = 10
export const AT_HAS_DELTAS = 11
/** How many registers a batch uses, and an empty one has at 0. */
export const BATCH_REGISTERS = 16
/** Bytes of labels that were written out, and how many of them are allowed. */
export const AT_LABEL_BYTES = 16
export const AT_LABEL_BYTES_MAX = 17
/** Series or samples at most. */
export const AT_ELEMENTS_MAX = 18
export const AT_SYMBOLS_MAX = 19
/** Whether a series was seen while symbols were read. */
export const AT_HAS_SERIES = 20
/** How much of OUT is written, how many bytes that stands for, and the number of the message. */
export const AT_OUT_BYTES = 21
export const AT_OUT_RAW_BYTES = 26
export const AT_OUT_STAMP = 22
/** What has no number in the message yet. */
export const AT_MISSING_SYMBOL = 23
export const AT_MISSING_FAMILY = 24
/** The number that the kernel gives the next symbol, 0 where it may not; and what it has given. */
export const AT_NEXT_NUMBER = 27
export const AT_NAMED_COUNT = 28
export const AT_NAMED_BYTES = 29
/** Of OTLP: number of the request, for what is known of it; changes before each one. */
export const AT_EPOCH = 30
/** How many labels resource and scope have, their bytes, and a number for their names. */
export const AT_BASE_COUNT = 31
export const AT_BASE_BYTES = 32
export const AT_BASE_VERSION = 33
/** How many data points were read so far. */
export const AT_POINT_COUNT = 34
/** Of the metric that could not be read to its end: where the point lies, 0 for its beginning. */
export const AT_RESUME = 35
/** The symbol of `+Inf`. */
export const AT_INFINITY = 36
/** 1 while a batch that another thread decoded waits to be judged; for atomic access. */
export const AT_IS_IN_USE = 25

/** Traits of a symbol, judged once however many labels refer to it. */
export const IS_UTF8 = 1
export const IS_NAME_LABEL = 2
export const IS_FILLED = 4
/** What name and value of a label have to be. */
export const IS_LABEL = 5

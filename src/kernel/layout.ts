/**
 * Where everything lies in the memory that a batch and the kernel share, in bytes. Read by
 * both sides: by Node, and by the compiler of the kernel.
 *
 * Each column has room for the most that a request may bring (`decode/limits.ts`), so none
 * ever moves. The system hands out pages when they are first touched: what is reserved here
 * and not used costs addresses and no memory.
 */

/** Of a push as it came, compressed. */
export const BODY_BYTES_MAX = 33554432
/** Decompressed. A push has as much at most; a block that was written anew may have more. */
export const RAW_BYTES_MAX = 67108864
export const SYMBOLS_MAX = 1048576
/** Series and samples, each. */
export const ELEMENTS_MAX = 2097152
/** No reference takes less than a byte of the raw body. */
export const REFS_MAX = RAW_BYTES_MAX
/** Behind each region: loads and stores of 16 bytes may go beyond the end. */
const SLACK = 64
/** What the last series may bring before somebody sees that there are too many symbols. */
export const SYMBOL_ROOM = SYMBOLS_MAX + 8192
/** The same of series and samples. */
export const ELEMENT_ROOM = ELEMENTS_MAX + 64

/** The kernel's own constants lie below. */
export const REGISTERS = 65536
export const REGISTERS_MAX = 128
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

export const LABEL_REFS = SYMBOL_NUMBER + SYMBOL_ROOM * 4

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

/** Histograms, written anew; none takes more than twice of what it took. */
export const HISTOGRAM_BYTES_MAX = RAW_BYTES_MAX * 2
export const HISTOGRAM_BYTES = SAMPLE_HISTOGRAM_END + ELEMENT_ROOM * 4

export const EXEMPLAR_TIMESTAMP = HISTOGRAM_BYTES + HISTOGRAM_BYTES_MAX
export const EXEMPLAR_BITS = EXEMPLAR_TIMESTAMP + ELEMENT_ROOM * 8
export const EXEMPLAR_SERIES = EXEMPLAR_BITS + ELEMENT_ROOM * 8
export const EXEMPLAR_LABEL_START = EXEMPLAR_SERIES + ELEMENT_ROOM * 4
export const EXEMPLAR_LABEL_END = EXEMPLAR_LABEL_START + ELEMENT_ROOM * 4

export const FAMILY_NAME = EXEMPLAR_LABEL_END + ELEMENT_ROOM * 4
export const FAMILY_TYPE = FAMILY_NAME + ELEMENT_ROOM * 4
export const FAMILY_HELP = FAMILY_TYPE + ELEMENT_ROOM
export const FAMILY_UNIT = FAMILY_HELP + ELEMENT_ROOM * 4

/** A body as it came, and what is in it. */
export const BODY = FAMILY_UNIT + ELEMENT_ROOM * 4
export const RAW = BODY + BODY_BYTES_MAX + SLACK
export const MEMORY_BYTES = RAW + RAW_BYTES_MAX + SLACK

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

/** Traits of a symbol, judged once however many labels refer to it. */
export const IS_UTF8 = 1
export const IS_NAME_LABEL = 2
export const IS_FILLED = 4
/** What name and value of a label have to be. */
export const IS_LABEL = 5

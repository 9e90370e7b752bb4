/** Elements of a write request, counted apart as Remote Write 2.0 answers them. */
export type Counts = {
  samples: number
  histograms: number
  exemplars: number
}

export function noCounts(): Counts {
  return { samples: 0, histograms: 0, exemplars: 0 }
}

/** Float samples and histograms together: what a person calls samples. */
export function samplesOf({ samples, histograms }: Counts): number {
  return samples + histograms
}

export function add(sum: Counts, more: Counts): void {
  sum.samples += more.samples
  sum.histograms += more.histograms
  sum.exemplars += more.exemplars
}

export function minus(counts: Counts, less: Counts): Counts {
  return {
    samples: counts.samples - less.samples,
    histograms: counts.histograms - less.histograms,
    exemplars: counts.exemplars - less.exemplars,
  }
}

export function atMost(counts: Counts, most: Counts): Counts {
  return {
    samples: Math.min(counts.samples, most.samples),
    histograms: Math.min(counts.histograms, most.histograms),
    exemplars: Math.min(counts.exemplars, most.exemplars),
  }
}

export function isNothing({ samples, histograms, exemplars }: Counts): boolean {
  return samples === 0 && histograms === 0 && exemplars === 0
}

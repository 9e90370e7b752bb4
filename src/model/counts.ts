/** Elements of a write request, counted apart as Remote Write 2.0 answers them. */
export type Counts = {
  samples: number
  histograms: number
  exemplars: number
}

export function noCounts(): Counts {
  return { samples: 0, histograms: 0, exemplars: 0 }
}

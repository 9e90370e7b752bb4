#!/usr/bin/env node
// Loading what strips types, for this file alone, costs a start 14 MB: `sluice.js` costs none.
import './sluice.js'

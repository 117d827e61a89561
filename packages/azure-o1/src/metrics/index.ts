export * as O1Metrics from "./O1Metrics.ts"

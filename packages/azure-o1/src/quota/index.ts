/**
 * Calls within the quota of their deployments, and within a ceiling of what may be spent.
 *
 * @since 0.1.0
 */
export type { QuotaDimension } from "./limits.ts"
export * from "./O1Quota.ts"

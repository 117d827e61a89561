export * as AzureO1Pool from "./AzureO1Pool.ts"
export type { PoolMember } from "./AzureO1Pool.ts"

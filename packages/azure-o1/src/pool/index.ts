export * from "./AzureO1Pool.ts"
export * from "./options.ts"
export * from "./PoolMember.ts"
export type { MemberState } from "./PoolState.ts"

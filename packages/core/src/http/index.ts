export * as DeadlineMiddleware from "./DeadlineMiddleware.ts"
export * as ResilientHttpClient from "./ResilientHttpClient.ts"

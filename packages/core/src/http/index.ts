export * as Health from "./Health.ts"
export * as ResilientHttpClient from "./ResilientHttpClient.ts"
export * as ServerPolicy from "./ServerPolicy.ts"

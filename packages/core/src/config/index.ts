export * from "./StandardConfig.ts"

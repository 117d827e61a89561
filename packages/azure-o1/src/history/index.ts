export * as O1History from "./O1History.ts"

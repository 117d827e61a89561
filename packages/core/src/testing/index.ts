export * as Callee from "./Callee.ts"
export * as PolicyTest from "./PolicyTest.ts"
export * as Recorder from "./Recorder.ts"

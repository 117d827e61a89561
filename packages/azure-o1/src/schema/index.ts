export * from "./ResumeToken.ts"

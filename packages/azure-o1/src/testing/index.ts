export * from "./AzureO1Test.ts"
export * from "./FakeAzure.ts"
export type * from "./FakeOptions.ts"
export type { FakeBreak, FakeFaultKind, FakeToolCall, Reply, ReplyOptions } from "./FakeReply.ts"

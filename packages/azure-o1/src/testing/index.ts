export * from "./AzureO1Test.ts"
export * from "./FakeAzure.ts"

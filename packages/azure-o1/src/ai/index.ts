export * as AzureO1LanguageModel from "./AzureO1LanguageModel.ts"

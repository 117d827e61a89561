// Runs the examples that Effect ships for `effect/ai`, as they are but for their imports of a provider.
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { AzureO1LanguageModel } from "../../src/ai/index.ts"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { O1Client } from "../../src/O1Client.ts"

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url))
const source = join(modules, "effect", "ai-docs", "src", "71_ai")
const target = join(modules, ".cache", "effect-examples")

/** The modules of the providers, with this one in their place. */
const providers = (o1: O1Client): Readonly<Record<string, object>> => {
  const client = { layerConfig: () => Layer.succeed(AzureO1, o1) }
  return {
    "@effect/ai-openai": {
      OpenAiClient: client,
      OpenAiLanguageModel: AzureO1LanguageModel,
      OpenAiTool: {
        WebSearch: Tool.providerDefined({
          id: "openai.web_search",
          customName: "OpenAiWebSearch",
          providerName: "web_search"
        })
      }
    },
    "@effect/ai-anthropic": { AnthropicClient: client, AnthropicLanguageModel: AzureO1LanguageModel }
  }
}

const copy = (file: string): string => {
  const path = join(target, `${file.slice(0, -".ts".length)}.mjs`)
  const text = stripTypeScriptTypes(readFileSync(join(source, file), "utf8"))
    .replaceAll(
      /^import (\{[^}]*\}) from "(@effect\/ai-\w+)"/gm,
      (_, names: string, provider: string) =>
        `const ${names} = globalThis[Symbol.for("providers")].get(import.meta.url)["${provider}"]`
    )
    .replaceAll(/from "(\.[^"]+)\.ts"/g, (_, name: string) => {
      copy(join(dirname(file), `${name}.ts`))
      return `from "${name}.mjs"`
    })
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

/** By the address of the module that imports them: an example is imported anew by each test, and takes them at once. */
const imported = new Map<string, object>()
Object.assign(globalThis, { [Symbol.for("providers")]: imported })

/** An example with this client as its provider. */
export const example = <Exports>(file: string, o1: O1Client): Effect.Effect<Exports> =>
  Effect.promise(() => {
    const url = `${pathToFileURL(copy(file)).href}?${imported.size}`
    imported.set(url, providers(o1))
    return import(/* @vite-ignore */ url) as Promise<Exports>
  })

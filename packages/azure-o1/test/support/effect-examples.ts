// Runs the examples that Effect ships for `effect/ai`, as they are but for their imports of a provider.
import { assert } from "@effect/vitest"
import * as IdGenerator from "effect/ai/IdGenerator"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { AzureO1LanguageModel } from "../../src/ai/index.ts"
import { AzureO1 } from "../../src/AzureO1.ts"
import { fromFaces } from "../../src/client/faces.ts"
import type { O1Client } from "../../src/O1Client.ts"
import type { O1Request } from "../../src/O1Request.ts"
import { AzureO1Test } from "../../src/testing/index.ts"

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

type Fake = Parameters<typeof LanguageModel.make>[0]

/** What a fake of an example says, as a client says it. */
const clientOf = ({ generateText, streamText }: Fake): O1Client => {
  const options = ({ messages, toolChoice = "none" }: O1Request) =>
    ({ prompt: { content: messages }, toolChoice }) as unknown as LanguageModel.ProviderOptions // no fake looks at more
  const complete = (request: O1Request) =>
    Effect.flatMap(generateText(options(request)), (parts) => {
      const text = parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("")
      const input = parts.find((part) => part.type === "finish")?.usage.inputTokens.total ?? 0
      return AzureO1Test.answer(text, { completion: { usage: { input, cachedInput: 0, output: 0, reasoning: 0 } } })
        .complete
    })
  const stream = (request: O1Request) =>
    Stream.unwrap(
      Effect.map(Stream.runCollect(streamText(options(request))), (parts) =>
        AzureO1Test.tokens(parts.flatMap((part) => part.type === "text-delta" ? [part.delta] : [])).stream)
    )
  const run = <A>(self: Effect.Effect<A, unknown, IdGenerator.IdGenerator>) =>
    Effect.orDie(Effect.provideService(self, IdGenerator.IdGenerator, IdGenerator.defaultIdGenerator))
  return fromFaces({
    complete: (request) => run(complete(request)),
    stream: (request) => Stream.fromIterableEffect(run(Stream.runCollect(stream(request)))),
    tokens: () => Stream.die("no example asks for it"),
    resume: () => Stream.die("no example asks for it"),
    learned: Effect.succeed([]),
    cancel: () => Effect.die("no example asks for it")
  })
}

const fence = /^ *\* ```ts import\.meta\.vitest\n([\s\S]*?)^ *\* ```$/gm

/** The examples in the comments of a module that make a fake of a language model, each with its line. */
export const commented = (
  module: string
): ReadonlyArray<{ readonly line: number; readonly run: () => Promise<unknown> }> => {
  const text = readFileSync(join(modules, "effect", "src", "ai", `${module}.ts`), "utf8")
  return Array.from(text.matchAll(fence)).flatMap(({ 1: code = "", index }) => {
    if (!code.includes("LanguageModel.make(")) return []
    const line = text.slice(0, index).split("\n").length
    const path = join(target, `${module}-${line}.mjs`)
    const compiled = stripTypeScriptTypes(code.replaceAll(/^ *\* ?/gm, ""))
      .replaceAll("LanguageModel.make(", "globalThis[Symbol.for(\"ours\")].make(")
      .replaceAll(/^(\S.*\n(?: .*\n)*\)) \/\/ => (.+)$/gm, "globalThis[Symbol.for(\"ours\")].same($1, $2)")
      .replaceAll(
        /^( *)(?:const (\w+) = )?(.+?) \/\/ => (.+)$/gm,
        (_, indent: string, name: string | undefined, actual: string, value: string) =>
          `${indent}${
            name === undefined ? "" : `const ${name} = `
          }globalThis[Symbol.for("ours")].same(${actual}, ${value})`
      )
    mkdirSync(target, { recursive: true })
    writeFileSync(path, compiled)
    return [{ line, run: () => import(/* @vite-ignore */ pathToFileURL(path).href) as Promise<unknown> }]
  })
}

Object.assign(globalThis, {
  [Symbol.for("ours")]: {
    make: (fake: Fake) => Effect.provideService(AzureO1LanguageModel.make(), AzureO1, clientOf(fake)),
    same: (actual: unknown, expected: unknown) => {
      assert.deepStrictEqual(actual, expected)
      return actual
    }
  }
})

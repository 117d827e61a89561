/** The client for a program without Effect: promises, a stream as an async iterable, an `AbortSignal`. */
import { AzureO1Promise, O1Error, user } from "@effect-resilience/azure-o1"
import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { deployment } from "./support/run.ts"

const fake = deployment({
  script: [
    FakeAzure.status(503),
    FakeAzure.answer("Because air scatters blue light more than red."),
    FakeAzure.answer(["one", " two", " three"], { every: "20 millis" }),
    FakeAzure.answer("too late", { think: "1 minute" }),
    FakeAzure.status(401)
  ]
})

export const program = async (): Promise<void> => {
  // in a program of your own: AzureO1Node.promise({ endpoint, apiKey, deployment })
  const o1 = AzureO1Promise.make(fake)
  const ask = (prompt: string) => ({ messages: [user(prompt)] })

  const { text } = await o1.complete(ask("Why is the sky blue?"))
  console.log(text)

  // leaving the loop ends the call
  for await (const token of o1.tokens(ask("Count to three."))) {
    console.log(token)
    if (token === " two") break
  }

  try {
    await o1.complete(ask("Is there a proof?"), { signal: AbortSignal.timeout(100) })
  } catch (error) {
    console.log(error instanceof DOMException ? error.name : error)
  }

  try {
    await o1.complete(ask("Who are you?"))
  } catch (error) {
    // what fails is thrown as the O1Error that it is
    console.log(O1Error.is(error) ? O1Error.label(error) : error)
  }
  await o1.close()
}

if (process.argv[1] === import.meta.filename) await program()

/** Sentences and examples that reasoning models do better without. */
import { showingIn } from "../thinking.ts"
import { instructive, placed, replacing, type Rule } from "./Rule.ts"

export const chainOfThought: Rule = ({ count, paragraphs, passages }) =>
  passages.filter(instructive).flatMap((passage) =>
    passage.thinking.map(({ phrase }) => {
      const gone = paragraphs.sentenceAt(passage, phrase.start)
      return {
        ...placed(passage, phrase),
        explanation:
          "A reasoning model thinks in steps by itself; being told how to think makes it slower and often worse.",
        fix: "Leave it out. Say what the result must be, and what it must respect.",
        edits: gone === undefined ? [] : [replacing(passage, gone, "")],
        tokensSaved: count(passage.text.slice(phrase.start, phrase.end))
      }
    })
  )

const asksForReasoning = {
  explanation: "The reasoning itself is not shown, and asking for it can be refused as an invalid prompt.",
  fix:
    "Ask for what the reader needs: the grounds of the result, the sources, or the calculation. Where the model offers " +
    "it, ask for a summary with reasoningSummary."
}

export const showReasoning: Rule = ({ passages }) =>
  passages.filter(instructive).flatMap((passage) =>
    showingIn(passage.layout).map((phrase) => Object.assign(placed(passage, phrase), asksForReasoning))
  )

/** How an example begins, after list marks and stars. */
const lead = String.raw`^[ \t#*>-]*`
const markers: ReadonlyArray<RegExp> = [
  new RegExp(String.raw`${lead}example(?: input)?(?: *#? *\d+)?\**:|${lead}example *#? *\d+`, "gim"),
  /^[ \t]*<example\b[^<>\n]*>/gim,
  new RegExp(String.raw`${lead}(?:q|question|input)\**:`, "gim")
]
const answer = new RegExp(String.raw`${lead}(?:a|answer|output)\**:`, "gim")

/** Where the examples begin, by the marker that has most; a question without an answer is none. */
const examplesIn = (text: string): ReadonlyArray<number> => {
  const [numbered = [], tagged = [], asked = []] = markers.map((marker) =>
    Array.from(text.matchAll(marker), ({ index }) => index)
  )
  const answers = Array.from(text.matchAll(answer)).length
  return [numbered, tagged, asked.slice(0, answers)].reduce((most, found) => found.length > most.length ? found : most)
}

export const fewShotExamples: Rule = ({ passages, settings }) => {
  const { max } = settings["few-shot-examples"]
  return passages.filter(instructive).flatMap((passage) => {
    const examples = examplesIn(passage.text)
    const [extra] = examples.slice(max)
    return extra === undefined ? [] : [{
      ...placed(passage, { start: extra, end: passage.text.length }),
      explanation: `There are ${examples.length} examples; reasoning models do best with none, or with few.`,
      fix: `Try it without examples first, then with at most ${max} that differ from each other and agree with the ` +
        "instructions to the letter."
    }]
  })
}

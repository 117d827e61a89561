/** What the checks ask. These are ours, so that a transcript may have them. */
export const prompts = {
  count: "Count from 1 to 20, separated by single spaces. Write nothing else.",
  long: "Explain step by step, at great length, how a violin is built.",
  weather: "What is the weather in Oslo? Call get_weather.",
  word: "Reply with the single word: ready"
} as const

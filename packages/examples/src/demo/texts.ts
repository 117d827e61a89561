/** What the fake model says, whatever it is asked. */
export const blueSky =
  "Sunlight holds all colours. The molecules of the air scatter the short waves of blue far more than the long " +
  "ones of red, so that from every part of the sky it is mostly blue that reaches your eyes."

export const redSunset =
  "In the evening the light comes in low and crosses much more air. On the way nearly all of the blue is " +
  "scattered aside; what is left is the orange and the red of the sunset."

/** The beginning of a question, on one line. */
export const short = (question: string): string => {
  const line = question.replaceAll(/\s+/gu, " ")
  return line.length > 80 ? `${line.slice(0, 77)}...` : line
}

/** An honest answer to a question that the fake knows nothing of. */
export const honest = (question: string, text: string): string =>
  `You asked: "${
    short(question)
  }" I am a fake on your own machine and cannot think about it. I only ever tell about the sky. ${text}`

/** The tokens of a text, as the fake sends them. */
export const tokensOf = (text: string): ReadonlyArray<string> => text.match(/\s*\S+/gu) ?? []

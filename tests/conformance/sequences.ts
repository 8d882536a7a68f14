import { Random } from './random.ts';

/** Positions of the three fixed token sequences: together 192, of lengths that no kernel's tile divides. */
const LENGTHS = [41, 65, 86] as const;
const SEED = 64;

/** Three sequences of ordinary tokens for a checkpoint without meaning: the same for the same vocabulary size. */
export function syntheticSequences(vocabularySize: number): number[][] {
  const random = new Random(SEED);
  return LENGTHS.map((length) => Array.from({ length }, () => random.integer(3, vocabularySize)));
}

const TEXTS = [
  `The lighthouse keeper had not seen a ship for nine days. On the tenth, a little before noon, a sail stood up out of
the haze to the west, and he went down the stairs two at a time to tell his wife that the mail had come at last. She
was already on the jetty with the rope in her hands, as if she had known it since morning, and the dog beside her.`,
  `def merge(left, right):
    """Merge two sorted lists into one."""
    result, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            result.append(left[i]); i += 1
        else:
            result.append(right[j]); j += 1
    return result + left[i:] + right[j:]`,
  `Water boils at 100 °C at sea level, but at 8,849 m it boils near 68 °C. Question: why does an egg need longer there?
Answer: because the water is cooler, although it boils. L'eau bout plus tôt; das Ei braucht länger. 水は早く沸くが、
卵は遅く煮える。`,
];

/**
 * Three sequences of real text for a real checkpoint, in its own tokens; a vocabulary that writes a text in fewer
 * reads it again.
 */
export async function textSequences(tokenize: (text: string) => Promise<number[]>): Promise<number[][]> {
  const sequences: number[][] = [];
  for (const [i, text] of TEXTS.entries()) {
    const length = LENGTHS[i] as number;
    const tokens = await tokenize(text);
    const again = tokens.slice(1);
    while (tokens.length < length && again.length > 0) tokens.push(...again);
    sequences.push(tokens.slice(0, length));
  }
  return sequences;
}

/** What the stand-in says: prose, a list, a table and code, so that every kind of Markdown is drawn while it grows. */
export const LONG_ANSWER = `The moon pulls on the sea, and it pulls harder on what is closer. The water facing the moon is pulled up into a bulge: that is one high tide.

## The other side

The other one is on the far side. There the Earth itself is pulled *a little more* than the water, so the water is left behind, and that is a **bulge** too. The Earth turns under both bulges once a day, so the beach meets two.

1. The near bulge comes from the pull of the moon.
2. The far bulge comes from what the pull leaves behind.
3. Each beach passes under both in about 24 hours and 50 minutes.

| Place | High tides a day | Range |
|---|---|---:|
| Lofoten | 2 | 2.4 m |
| Bay of Fundy | 2 | 12 m |
| Gulf of Mexico | 1 | 0.5 m |

Here is a small function that lists the next high tides from one that is known:

\`\`\`python
from datetime import datetime, timedelta

APART = timedelta(hours=12, minutes=25)


def next_high_tides(known: datetime, count: int = 4):
    # how many tides have passed, rounded up
    passed = max(0, -(-(datetime.now() - known) // APART))
    return [known + APART * (passed + i) for i in range(count)]
\`\`\`

> High tides are about 12 hours and 25 minutes apart. A real harbour differs by its shape and its depth.

- Ask the harbour for its own table.
- Add the delay that it gives, see [the tables](https://example.org/tides).
- Spring tides come with the new and the full moon.
`;

export const THOUGHT =
  'The question is about tides. Two bulges: one from the pull, one left behind. Explain both, simply.';

/** Pieces of a few characters, as tokens are. */
export function tokensOf(text: string): readonly string[] {
  return text.match(/\s*[\p{L}\p{N}]{1,5}|\s*[^\p{L}\p{N}\s]|\s+/gu) ?? [];
}

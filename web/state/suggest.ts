import type { CatalogueEntry } from '../../worker/api.ts';

const COMFORT = 0.85;
const SUGGESTIONS = 3;

/**
 * The few that a first visit offers: the largest that fits with room to spare, one about half its download, and the
 * smallest. A software GPU computes on the processor, so there the smallest comes first.
 */
export function suggest(entries: readonly CatalogueEntry[], softwareOnly: boolean): readonly CatalogueEntry[] {
  const fitting = entries
    .filter((entry) => entry.fit.verdict === 'fits')
    .sort((a, b) => a.downloadBytes - b.downloadBytes || (a.id < b.id ? -1 : 1));
  if (softwareOnly) return fitting.slice(0, SUGGESTIONS);
  const comfortable = fitting.filter((entry) => entry.fit.totalBytes <= COMFORT * entry.fit.budgetBytes);
  const best = comfortable.at(-1) ?? fitting.at(-1);
  const smallest = fitting[0];
  if (!best || !smallest) return [];
  const half = fitting.filter((entry) => entry.downloadBytes <= best.downloadBytes / 2).at(-1);
  return [...new Set([best, ...(half ? [half] : []), smallest])].slice(0, SUGGESTIONS);
}

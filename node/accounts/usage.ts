/** How many bytes an account's things take: each blob once, however many datasets show it. Derived, never counted up. */
import { type AccountView, contentOf } from '../../protocol/account/records.js';

export function usedBytes(view: AccountView): number {
  const seen = new Set<string>();
  let bytes = 0;
  for (const dataset of view.list('dataset')) {
    if (dataset.purged) continue;
    for (const file of contentOf(view, dataset)?.files ?? []) {
      if (seen.has(file.blob)) continue;
      seen.add(file.blob);
      bytes += file.size;
    }
  }
  return bytes;
}

/** Every tag the account uses, each once, sorted: what the client offers while typing. */
export function usedTags(view: AccountView): string[] {
  const tags = new Set<string>();
  for (const kind of ['history', 'dataset', 'collection'] as const) {
    for (const item of view.list(kind)) for (const tag of item.tags ?? []) tags.add(tag);
  }
  return [...tags].sort();
}

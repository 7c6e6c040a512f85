// Names, initials and colours of people, grouping by person, search. Pure.

const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** One or two characters for a name, of any script; an emoji stays whole. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const first = words.map(firstLetter).filter(Boolean);
  if (first.length === 0) return firstGrapheme(words[0] ?? '') || '?';
  if (first.length === 1) return first[0]!;
  return first[0]! + first[first.length - 1]!;
}

function firstLetter(word: string): string {
  for (const { segment } of segments.segment(word.slice(0, 64))) {
    if (/[\p{L}\p{N}]/u.test(segment)) return segment.toLocaleUpperCase();
  }
  return '';
}

function firstGrapheme(word: string): string {
  for (const { segment } of segments.segment(word.slice(0, 64))) return segment;
  return '';
}

/** The name, or a placeholder if it has no visible character. */
export function displayName(name: string): string {
  return /[^\s\p{C}]/u.test(name) ? name : 'Unnamed';
}

/** An index into the eight avatar colours: always the same for an identity (FNV-1a). */
export function colorIndex(identity: string): number {
  let hash = 2166136261;
  for (let i = 0; i < Math.min(identity.length, 128); i += 1) {
    hash = Math.imul(hash ^ identity.charCodeAt(i), 16777619);
  }
  return (hash >>> 0) % 8;
}

export type Group<T> = { owner: string; name: string; verified: boolean; items: T[] };

/** By owner, in the order in which owners first appear. */
export function byOwner<T extends { owner: string; owner_name: string; owner_verified: boolean }>(
  items: readonly T[],
): Group<T>[] {
  const groups = new Map<string, Group<T>>();
  for (const item of items) {
    const group = groups.get(item.owner);
    if (group) group.items.push(item);
    else {
      groups.set(item.owner, {
        owner: item.owner,
        name: item.owner_name,
        verified: item.owner_verified,
        items: [item],
      });
    }
  }
  return [...groups.values()];
}

/** Whether every word of `query` is in one of the texts. */
export function matches(query: string, ...texts: (string | null)[]): boolean {
  const all = texts.join('\n').toLocaleLowerCase();
  return query.toLocaleLowerCase().split(/\s+/u).every((word) => all.includes(word));
}

// Structural sharing: equal parts of a new snapshot are replaced by the old objects, so that only rows that changed are
// rendered again. Pure.

/** `after`, with every part that equals its counterpart in `before` replaced by it. Both are plain data. */
export function shareStructure<T>(before: unknown, after: T): T {
  if (before === after) return after;
  if (!isTree(before) || !isTree(after) || Array.isArray(before) !== Array.isArray(after)) return after;
  return Array.isArray(after) ? (list(before as unknown[], after) as T) : (record(before as Tree, after as Tree) as T);
}

type Tree = Record<string, unknown>;

function isTree(value: unknown): value is Tree | unknown[] {
  return typeof value === 'object' && value !== null;
}

/** Items are matched by id, so that an added or removed one does not change the others. */
function list(before: unknown[], after: unknown[]): unknown[] {
  const byId = new Map(before.map((item, i) => [idOf(item) ?? i, item]));
  const parts = after.map((item, i) => shareStructure(byId.get(idOf(item) ?? i), item));
  return parts.length === before.length && parts.every((part, i) => part === before[i]) ? before : parts;
}

function idOf(item: unknown): unknown {
  if (!isTree(item)) return undefined;
  const { id, grant, identifier } = item as Tree;
  return id ?? grant ?? identifier;
}

function record(before: Tree, after: Tree): Tree {
  const keys = Object.keys(after);
  let same = keys.length === Object.keys(before).length;
  const parts: Tree = {};
  for (const key of keys) {
    parts[key] = shareStructure(before[key], after[key]);
    same &&= parts[key] === before[key];
  }
  return same ? before : parts;
}

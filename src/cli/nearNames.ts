// Names that somebody may have meant.

const NAMED_MOST = 3;
/** Names that differ in more letters were not meant. */
const LETTERS_MOST = 3;

/** At most three of the names, which may be `namespace/name`: those that contain it, then those a few letters off. */
export function nearNames(written: string, names: readonly string[]): readonly string[] {
  const wanted = written.toLowerCase();
  const ranked = names.flatMap((name) => {
    const known = name.toLowerCase();
    const own = known.slice(known.indexOf('/') + 1);
    const isPart = known.includes(wanted) || wanted.includes(own);
    const rank = isPart ? 0 : editDistance(wanted, own);
    return rank <= LETTERS_MOST ? [{ name, rank }] : [];
  });
  return ranked
    .sort((left, right) => left.rank - right.rank || (left.name < right.name ? -1 : 1))
    .slice(0, NAMED_MOST)
    .map(({ name }) => name);
}

/** Letters to insert, delete or change (Levenshtein); anything above the limit counts as one above it. */
function editDistance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > LETTERS_MOST) return LETTERS_MOST + 1;
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const line = [row];
    for (let column = 1; column <= right.length; column++) {
      const changed = (above[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      line.push(Math.min(changed, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1));
    }
    above = line;
  }
  return above[right.length] ?? 0;
}

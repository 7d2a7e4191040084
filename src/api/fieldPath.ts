// Where in a manifest something stands: a list of keys and indices, and its written form.

/** Keys of objects and indices of lists, from the top of the manifest. */
export type FieldPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const SEGMENT = /\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]/gsy;

/** Writes a path: `spec.taints[0].key`, `spec.labels['example.com/team']`. */
export function formatFieldPath(path: FieldPath): string {
  return path.map((segment, index) => formatSegment(segment, index === 0)).join('');
}

function formatSegment(segment: string | number, isFirst: boolean): string {
  if (typeof segment === 'number') return `[${segment}]`;
  if (!PLAIN_KEY.test(segment)) return `['${segment.replace(/['\\]/g, '\\$&')}']`;
  return isFirst ? segment : `.${segment}`;
}

/** Reads a written path back into its keys and indices; the inverse of `formatFieldPath`. */
export function parseFieldPath(text: string): FieldPath {
  const path: (string | number)[] = [];
  for (const [, plain, index, quoted] of text.matchAll(SEGMENT)) {
    if (plain !== undefined) path.push(plain);
    else if (index !== undefined) path.push(Number(index));
    else path.push((quoted ?? '').replace(/\\(.)/gs, '$1'));
  }
  return path;
}

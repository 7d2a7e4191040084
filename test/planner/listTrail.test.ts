import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { followParts, type ListPart, ListTrail } from '../../src/planner/listTrail.ts';

interface Item {
  readonly key: number;
}

type Change =
  | { readonly kind: 'put'; readonly key: number }
  | { readonly kind: 'remove'; readonly key: number }
  | { readonly kind: 'reverse' };

const key = fc.integer({ min: 0, max: 30 });
const asMap: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key }),
  fc.record({ kind: fc.constant('remove' as const), key }),
);
const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 9, arbitrary: asMap },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reverse' as const) }) },
);

function changed(list: readonly Item[], changes: readonly Change[]): readonly Item[] {
  let items = new Map(list.map((item) => [item.key, item]));
  for (const change of changes) {
    if (change.kind === 'put') items.set(change.key, { key: change.key });
    else if (change.kind === 'remove') items.delete(change.key);
    else items = new Map([...items].reverse());
  }
  return [...items.values()];
}

const freshIn = (parts: readonly ListPart<Item>[]): Item[] =>
  parts.flatMap((part) => (part.kind === 'fresh' ? part.items : []));

test('a list is rebuilt from its parts, whatever has changed', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyChange, { maxLength: 20 }), { maxLength: 6 }), (versions) => {
      const trail = new ListTrail<Item>();
      let ours: readonly Item[] = [];
      let theirs: readonly Item[] = [];
      for (const changes of versions) {
        ours = changed(ours, changes);
        const parts = [...trail.partsTo(ours, 4)];
        assert.ok(parts.every((part) => part.kind === 'kept' || part.items.length <= 4));
        theirs = followParts(theirs, parts);
        assert.deepEqual(theirs, ours);
        assert.ok(theirs.every((item, index) => item === ours[index]));
      }
    }),
  );
});

test('a list that changes as a Map does is told by its new objects alone', () => {
  fc.assert(
    fc.property(fc.array(fc.array(asMap, { maxLength: 20 }), { maxLength: 6 }), (versions) => {
      const trail = new ListTrail<Item>();
      let before: readonly Item[] = [];
      for (const changes of versions) {
        const next = changed(before, changes);
        const held = new Set(before);
        const added = next.filter((item) => !held.has(item));
        assert.deepEqual(freshIn([...trail.partsTo(next, 1000)]), added);
        before = next;
      }
    }),
  );
});

test('pods taken out for a while and put back are told again', () => {
  const all = Array.from({ length: 10 }, (_, index) => ({ key: index }));
  const some = all.filter((item) => item.key % 3 !== 0);
  const trail = new ListTrail<Item>();
  let theirs = followParts<Item>([], [...trail.partsTo(all, 100)]);
  for (const next of [some, all, some]) {
    const parts = [...trail.partsTo(next, 100)];
    theirs = followParts(theirs, parts);
    assert.deepEqual(theirs, next);
    assert.equal(freshIn(parts).length, next === all ? 4 : 0);
  }
});

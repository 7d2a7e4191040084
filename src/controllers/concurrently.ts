// Running the same write over many objects, a bounded number at a time.

/** Calls `act` for each item, at most `atOnce` under way. Rejects with the first failure once all have settled. */
export async function concurrently<T>(
  items: readonly T[],
  atOnce: number,
  act: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      const item = items[index] as T;
      try {
        await act(item, index);
      } catch (failure) {
        failures.push(failure);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}

/**
 * As `concurrently`, for items that have nothing to do with each other: one that fails is told to `onFailure`, and
 * neither stops the others nor what comes after them.
 */
export function independently<T>(
  items: readonly T[],
  atOnce: number,
  act: (item: T, index: number) => Promise<void>,
  onFailure: (item: T, failure: unknown) => void,
): Promise<void> {
  return concurrently(items, atOnce, async (item, index) => {
    try {
      await act(item, index);
    } catch (failure) {
      onFailure(item, failure);
    }
  });
}

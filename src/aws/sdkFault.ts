// The one place where errors of the AWS SDK become ours.
import { AwsFault } from './awsFault.ts';

interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/**
 * The fault behind anything that a client has thrown. Service errors carry their code as `name`, broken connections
 * as `code`; an answer that could not be read (a proxy's page, a denial in the wrong format) only a status.
 */
export function sdkFault(action: string, thrown: unknown): AwsFault {
  if (thrown instanceof AwsFault) return thrown;
  const error: SdkError = typeof thrown === 'object' && thrown !== null ? thrown : {};
  const message = typeof error.message === 'string' && error.message !== '' ? error.message : String(thrown);
  return new AwsFault(action, codeOf(error), message);
}

const NO_SERVICE_CODE: ReadonlySet<string> = new Set([
  'Error',
  'AggregateError',
  'SyntaxError',
  'TypeError',
  'UnknownError',
  'Unknown',
]);

function codeOf({ name, code, $metadata }: SdkError): string {
  if (typeof name === 'string' && name !== '' && !NO_SERVICE_CODE.has(name)) return name;
  if (typeof code === 'string' && code !== '') return code;
  const status = $metadata?.httpStatusCode ?? 0;
  if (status === 401 || status === 403) return 'AccessDenied';
  if (status === 429) return 'TooManyRequestsException';
  return status === 0 || status >= 500 ? 'InternalError' : `Http${status}`;
}

/** Runs one SDK call; what it throws becomes an `AwsFault` of the action. */
export async function asked<T>(action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    throw sdkFault(action, thrown);
  }
}

/** All items of a paginated call. */
export function askedForAll<Page, Item>(
  action: string,
  pages: AsyncIterable<Page>,
  itemsOf: (page: Page) => readonly Item[] | undefined,
): Promise<readonly Item[]> {
  return asked(action, async () => {
    const items: Item[] = [];
    for await (const page of pages) items.push(...(itemsOf(page) ?? []));
    return items;
  });
}
